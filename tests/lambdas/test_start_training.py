import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.job_record import JobRecord
from domain.names import NO_RELEASE
from domain.releases import Champion
from domain.settings import StartTrainingSettings
from domain.training_run import Plan
from lambdas import start_training
from lambdas.ledger import Ledger
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, NOW, Local, Scripted, refused

PIPELINE = f"{DEPLOYMENT}-train"
PUSH = {"cause": "push", "incident": "3f2c1a"}
SNAPSHOT = {"id": "0123456789abcdef", "rows": 48_000, "created": "2013-04-01T00:00:00Z"}
SETTINGS = StartTrainingSettings(
    deployment=DEPLOYMENT,
    pipeline_name=PIPELINE,
    image_digest="sha256:" + "a" * 64,
    data_bucket="data",
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    kms_key_arn="",
    choose_instance_function="tideline-dev-choose-instance",
    memory_gib=4.0,
    minutes_on_one_vcpu=10.0,
    deadline_minutes=60.0,
    max_runtime_minutes=60,
    budget_usd_per_month=25.0,
)


class Pipelines:
    """StartPipelineExecution as the API page has it: the same token is the same execution."""

    def __init__(self) -> None:
        self.by_token: dict[str, str] = {}
        self.broken = False

    def start(self, ClientRequestToken: str, **_: Any) -> dict[str, Any]:
        if self.broken:
            raise refused("ThrottlingException", "slow down")
        number = len(self.by_token) + 1
        arn = f"{ACCOUNT}:pipeline/{PIPELINE}/execution/{number:012d}"
        return {"PipelineExecutionArn": self.by_token.setdefault(ClientRequestToken, arn)}


@pytest.fixture
def pipelines() -> Pipelines:
    return Pipelines()


@pytest.fixture
def sagemaker(local: Local, pipelines: Pipelines) -> Scripted:
    local.ledger.set_latest_snapshot(SNAPSHOT)
    return local.script("sagemaker", start_pipeline_execution=pipelines.start)


Ask = Callable[..., tuple[str, str]]


@pytest.fixture
def ask(local: Local, sagemaker: Scripted) -> Ask:
    def asked(request: dict[str, str] = PUSH, **changed: Any) -> tuple[str, str]:
        settings = replace(SETTINGS, kms_key_arn=local.key_arn, **changed)
        decision = local.run(start_training, settings, request)["decision"]
        return decision["verdict"], decision["rule"]

    return asked


def settle(ledger: Ledger, outcome: str, spent: int = 0) -> None:
    (open_run,) = [run for run in ledger.runs() if run["status"] == "STARTED"]
    ledger.settle(open_run["plan"]["run_id"], outcome=outcome, spent_micro_usd=spent, now=NOW)


def test_a_request_starts_the_pipeline_with_its_plan(local: Local, ask: Ask, sagemaker: Scripted) -> None:
    assert ask() == ("start", "push")
    (call,) = sagemaker.called("start_pipeline_execution")
    run_id = "run-064a26ca2559d02e"
    assert (call["PipelineName"], call["PipelineExecutionDisplayName"]) == (PIPELINE, run_id)
    parameters = {one["Name"]: one["Value"] for one in call["PipelineParameters"]}
    assert parameters == {
        "RunId": run_id,
        "SnapshotId": "0123456789abcdef",
        "ContentId": parameters["ContentId"],
        "Cause": "push",
        "SnapshotUri": "s3://data/snapshots/0123456789abcdef/manifest.json",
        "PartsUri": "s3://data/snapshots/0123456789abcdef/parts.manifest",
        "TrainingInstanceType": parameters["TrainingInstanceType"],
        "ProcessingInstanceType": parameters["ProcessingInstanceType"],
        "MaxRuntimeSeconds": "3600",
    }
    run = local.ledger.run(run_id)
    assert run is not None
    assert run["status"] == "STARTED"
    plan = json.loads(local.read("artefacts", f"runs/{run_id}/plan/plan.json"))
    assert plan == run["plan"]
    assert plan["training_instance_type"] == parameters["TrainingInstanceType"]


def test_the_plan_is_encrypted_under_the_key_of_the_deployment(local: Local, ask: Ask) -> None:
    ask()
    found = local.s3.head_object(Bucket="artefacts", Key="runs/run-064a26ca2559d02e/plan/plan.json")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", local.key_arn)


def test_the_instances_are_chosen_and_the_choice_is_recorded(local: Local, ask: Ask) -> None:
    ask()
    assert [payload["workload"]["component"] for _, payload in local.invoked] == ["Training", "Processing"]
    kept = [one for one in local.ledger.decisions() if one["kind"] == "instance"]
    assert [one["subject"].split("/")[1] for one in kept] == ["Processing", "Training"]
    assert all(one["inputs"]["refused"] for one in kept)


def test_the_next_choice_learns_from_the_jobs_of_the_runs_that_ended(local: Local, ask: Ask) -> None:
    ask()
    (first,) = local.ledger.runs()
    assert first["plan"]["snapshot_rows"] > 0
    jobs = [
        JobRecord("Training", "ml.m5.large", 1200, "completed", first["plan"]["snapshot_rows"]),
        JobRecord("Processing", "ml.m5.large", 60, "completed", first["plan"]["snapshot_rows"]),
    ]
    local.ledger.settle(first["plan"]["run_id"], outcome="Failed", spent_micro_usd=0, now=NOW, jobs=jobs)
    assert ask({"cause": "operator", "incident": "again"}) == ("start", "operator")
    payload = local.invoked[-2][1]
    assert payload["finished"] == [jobs[0].to_json()]
    again = [one for one in local.ledger.decisions() if one["rule"] == "cheapest-as-learned"]
    assert {one["subject"].split("/")[1] for one in again} == {"Processing", "Training"}
    assert all("learned from 1 finished" in one["reasons"][1] for one in again)


def test_the_whole_cost_is_reserved_before_the_start(local: Local, ask: Ask) -> None:
    ask()
    plan = Plan.from_json(local.ledger.runs()[0]["plan"])
    assert plan.reserved_micro_usd > 0
    left = local.ledger.remaining_micro_usd("2013-04", budget_micro_usd=25_000_000)
    assert left == 25_000_000 - plan.reserved_micro_usd


def test_two_identical_requests_start_one_run(local: Local, ask: Ask, pipelines: Pipelines) -> None:
    assert ask() == ("start", "push")
    assert ask() == ("start", "claimed-before")
    assert len(pipelines.by_token) == 1
    assert len(local.ledger.runs()) == 1
    assert local.decisions("training") == [("start", "push")]


def test_a_run_that_was_claimed_but_not_started_is_started_by_the_next_call_under_the_same_token(
    local: Local, ask: Ask, sagemaker: Scripted, pipelines: Pipelines
) -> None:
    pipelines.broken = True
    with pytest.raises(Exception, match="slow down"):
        ask()
    assert local.ledger.runs()[0]["status"] == "CLAIMED"
    pipelines.broken = False
    local.ledger.set_latest_snapshot({**SNAPSHOT, "id": "fedcba9876543210"})
    assert ask() == ("start", "claimed-before")
    assert local.ledger.runs()[0]["status"] == "STARTED"
    first, second = sagemaker.called("start_pipeline_execution")
    assert first == second


def test_a_run_that_was_claimed_long_ago_does_not_start_beside_another(
    local: Local, ask: Ask, pipelines: Pipelines
) -> None:
    pipelines.broken = True
    with pytest.raises(Exception, match="slow down"):
        ask()
    pipelines.broken = False
    local.at(NOW + timedelta(days=2))
    assert ask({"cause": "operator", "incident": "by hand"}) == ("start", "operator")
    assert ask() == ("skip", "in-flight")
    assert len(pipelines.by_token) == 1


def test_a_run_that_was_claimed_does_not_start_while_the_deployment_is_paused(
    local: Local, ask: Ask, pipelines: Pipelines
) -> None:
    pipelines.broken = True
    with pytest.raises(Exception, match="slow down"):
        ask()
    pipelines.broken = False
    local.pause(True)
    assert ask() == ("skip", "paused")
    assert not pipelines.by_token


def test_a_run_that_ended_is_not_started_again_by_the_same_request(
    local: Local, ask: Ask, pipelines: Pipelines
) -> None:
    ask()
    settle(local.ledger, "Failed")
    assert ask() == ("skip", "done-before")
    assert len(pipelines.by_token) == 1


def test_over_budget_nothing_is_claimed_and_the_decision_says_why(
    local: Local, ask: Ask, pipelines: Pipelines
) -> None:
    assert ask(budget_usd_per_month=0.01) == ("skip", "over-budget")
    assert (local.ledger.runs(), pipelines.by_token) == ([], {})
    assert local.decisions("training") == [("skip", "over-budget")]


def test_a_run_may_cost_exactly_what_is_left(local: Local, ask: Ask) -> None:
    ask()
    reserve = local.ledger.runs()[0]["plan"]["reserved_micro_usd"]
    settle(local.ledger, "Failed", spent=reserve)
    other = {"cause": "operator", "incident": "by hand"}
    assert ask(other, budget_usd_per_month=(2 * reserve - 1) / 1e6) == ("skip", "over-budget")
    assert ask(other, budget_usd_per_month=2 * reserve / 1e6) == ("start", "operator")


def test_the_same_snapshot_and_image_are_trained_once(local: Local, ask: Ask) -> None:
    ask()
    settle(local.ledger, "Succeeded")
    again = {"cause": "schedule", "incident": "2013-04-21"}
    assert ask(again) == ("skip", "nothing-new")
    assert ask({**again, "incident": "x"}, image_digest="sha256:" + "b" * 64) == ("start", "schedule")


def test_what_failed_may_be_tried_again(local: Local, ask: Ask) -> None:
    ask()
    settle(local.ledger, "Failed")
    assert ask({"cause": "operator", "incident": "again"}) == ("start", "operator")


def test_while_one_run_goes_another_request_is_skipped(ask: Ask) -> None:
    ask()
    assert ask({"cause": "alarm", "incident": "x"}) == ("skip", "in-flight")


@pytest.mark.parametrize(
    ("paused", "image", "rule"), [(True, "sha256:" + "1" * 64, "paused"), (False, NO_RELEASE, "no-image")]
)
def test_what_must_not_train_does_not(
    local: Local, ask: Ask, pipelines: Pipelines, paused: bool, image: str, rule: str
) -> None:
    local.pause(paused)
    assert ask(image_digest=image) == ("skip", rule)
    assert not pipelines.by_token


def test_without_a_snapshot_there_is_nothing_to_train(local: Local) -> None:
    local.script("sagemaker")
    answer = local.run(start_training, replace(SETTINGS, kms_key_arn=local.key_arn), PUSH)
    assert (answer["decision"]["rule"], answer["plan"]) == ("no-snapshot", None)


def test_who_loses_the_race_for_the_lease_starts_nothing(
    local: Local, ask: Ask, pipelines: Pipelines
) -> None:
    choose = local.functions["tideline-dev-choose-instance"]

    def slow(**event: Any) -> dict[str, Any]:
        """While this request chooses its processing instance, another one comes and is served whole."""
        if event["workload"]["component"] == "Processing":
            local.functions["tideline-dev-choose-instance"] = choose
            assert ask({"cause": "operator", "incident": "by hand"}) == ("start", "operator")
        return choose(**event)

    local.functions["tideline-dev-choose-instance"] = slow
    assert ask() == ("skip", "lost-the-race")
    assert len(pipelines.by_token) == 1
    assert [run["plan"]["cause"] for run in local.ledger.runs()] == ["operator"]


def test_the_champion_is_laid_beside_the_plan_for_the_gate(local: Local, ask: Ask) -> None:
    uri = local.put("s3://artefacts/runs/run-0/model/model.tar.gz", b"the champion")
    champion = Champion("000001", "arn:package/1", uri, "repo@sha256:0", "s3://r", "s3://p", 0.1, "2013")
    local.ledger.crown(champion)
    ask()
    run_id = local.ledger.runs()[0]["plan"]["run_id"]
    assert local.read("artefacts", f"runs/{run_id}/plan/champion.tar.gz") == b"the champion"
    assert local.ledger.runs()[0]["plan"]["champion_package"] == "arn:package/1"


@pytest.mark.parametrize("event", [{}, {"cause": "push"}, {"cause": "whim", "incident": "x"}])
def test_a_request_that_names_no_cause_or_no_incident_is_refused(local: Local, event: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"got .*(allowed|name what asked)"):
        local.run(start_training, SETTINGS, event)


EXECUTION = "11111111-2222-3333-4444-555555555555"


def test_a_push_waits_for_the_run_that_it_starts_and_is_asked_of_once(local: Local, ask: Ask) -> None:
    ask({**PUSH, "delivery": EXECUTION})
    ask({**PUSH, "delivery": EXECUTION})
    (waiting,) = local.ledger.deliveries_waiting()
    assert (waiting["execution"], waiting["run_id"]) == (EXECUTION, "run-064a26ca2559d02e")


def test_a_push_that_trains_nothing_waits_for_nothing(local: Local, ask: Ask) -> None:
    ask()
    settle(local.ledger, "Succeeded")
    assert ask({**PUSH, "delivery": EXECUTION}) == ("skip", "done-before")
    assert local.ledger.deliveries_waiting() == []
