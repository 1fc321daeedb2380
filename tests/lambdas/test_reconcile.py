from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.instances import micro_usd
from domain.settings import ReconcileSettings
from lambdas import reconcile
from lambdas.choose_instance import price_book
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, NOW, Local
from tests.lambdas.test_ledger import OTHER, PLAN

PIPELINE = f"{DEPLOYMENT}-train"
EXECUTION = f"{ACCOUNT}:pipeline/{PIPELINE}/execution/abcdefghijkl"
SETTINGS = ReconcileSettings(
    deployment=DEPLOYMENT,
    pipeline_name=PIPELINE,
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    topic_arn="",
    choose_instance_function="choose",
    record_release_function="record",
    delivery_pipeline="tideline-delivery",
    delivery_stage="dev-Wait",
)
PRICES = price_book("us-east-1")


class Runs:
    """What SageMaker says of a pipeline's execution and of its jobs."""

    def __init__(self) -> None:
        self.status = "Succeeded"
        self.failure: str | None = None
        self.failed_steps: dict[str, str] = {}
        self.training: dict[str, Any] = {"BillableTimeInSeconds": 600}
        self.instance = {"InstanceType": "ml.c5.xlarge"}
        self.times: dict[str, Any] = {
            "ProcessingStartTime": NOW,
            "ProcessingEndTime": NOW + timedelta(seconds=90),
        }

    def execution(self, **_: Any) -> dict[str, Any]:
        reason = {"FailureReason": self.failure} if self.failure else {}
        return {"PipelineExecutionStatus": self.status, **reason}

    def steps(self, **_: Any) -> dict[str, Any]:
        job = {"Arn": f"{ACCOUNT}:processing-job/pipelines-abc-CheckData"}
        train = {"Arn": f"{ACCOUNT}:training-job/pipelines-abc-Train"}
        evaluate = {"Arn": f"{ACCOUNT}:processing-job/pipelines-abc-Evaluate"}
        steps: list[dict[str, Any]] = [
            {"StepName": "CheckData", "Metadata": {"ProcessingJob": job}},
            {"StepName": "Train", "Metadata": {"TrainingJob": train}},
            {"StepName": "Evaluate", "Metadata": {"ProcessingJob": evaluate}},
            {"StepName": "Gate", "Metadata": {"Condition": {"Outcome": "True"}}},
            {"StepName": "Register"},
        ]
        for step in steps:
            if reason := self.failed_steps.get(step["StepName"]):
                step["FailureReason"] = reason
        return {"PipelineExecutionSteps": steps}

    def training_job(self, TrainingJobName: str) -> dict[str, Any]:
        return {
            "TrainingJobName": TrainingJobName,
            "TrainingJobArn": f"{ACCOUNT}:training-job/{TrainingJobName}",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://m"},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "ResourceConfig": {"InstanceCount": 1, "VolumeSizeInGB": 30, **self.instance},
            "StoppingCondition": {},
            "CreationTime": NOW,
            **self.training,
        }

    def processing_job(self, ProcessingJobName: str) -> dict[str, Any]:
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        return {
            "ProcessingJobName": ProcessingJobName,
            "ProcessingJobArn": f"{ACCOUNT}:processing-job/{ProcessingJobName}",
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": "i"},
            "ProcessingJobStatus": "Completed",
            "CreationTime": NOW,
            **self.times,
        }


@pytest.fixture
def runs(local: Local) -> Runs:
    """A run that was started, and what became of it."""
    assert local.ledger.claim(PLAN, now=NOW, budget_micro_usd=10**6)
    local.ledger.mark_started("run-1", execution_arn=EXECUTION, now=NOW)
    report(local, passed=True)
    known = Runs()
    local.script(
        "sagemaker",
        describe_pipeline_execution=known.execution,
        list_pipeline_execution_steps=known.steps,
        describe_training_job=known.training_job,
        describe_processing_job=known.processing_job,
    )
    return known


def report(local: Local, *, passed: bool, run_id: str = "run-1") -> None:
    gate = {"passed": passed, "rule": "non-inferior", "reason": "2% better than the champion", "margin": 0.02}
    body = {"gate": gate, "loss": {"challenger": 0.1}, "rows": 900, "days": 14}
    local.put_json(f"s3://artefacts/runs/{run_id}/report/report.json", body)


Reconcile = Callable[..., list[str]]


@pytest.fixture
def settled(local: Local) -> Reconcile:
    local.functions["record"] = lambda **_: {"rule": "nothing-in-flight"}

    def reconciled(event: dict[str, Any] | None = None) -> list[str]:
        settings = replace(SETTINGS, topic_arn=local.topic_arn)
        answer = local.run(reconcile, settings, event or {"detail-type": "Scheduled Event"})
        return list(answer["settled"])

    return reconciled


def ended(pipeline: str = PIPELINE) -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "detail": {
            "pipelineArn": f"{ACCOUNT}:pipeline/{pipeline}",
            "pipelineExecutionArn": EXECUTION,
            "currentPipelineExecutionStatus": "Succeeded",
        },
    }


def spent(local: Local) -> int:
    (run,) = local.ledger.runs()
    return int(run["spent_micro_usd"])


def price(instance_type: str, seconds: float) -> int:
    return micro_usd(PRICES[instance_type].usd_per_hour * seconds / 3600)


def test_a_run_whose_gate_passed_is_settled_in_silence(local: Local, runs: Runs, settled: Reconcile) -> None:
    assert settled(ended()) == ["run-1"]
    (run,) = local.ledger.runs()
    assert (run["status"], run["outcome"]) == ("SETTLED", "Succeeded")
    assert local.decisions("gate") == [("passed", "non-inferior")]
    assert local.messages() == []
    assert local.ledger.running(NOW) is None


def test_the_gates_numbers_are_kept_with_its_verdict(local: Local, runs: Runs, settled: Reconcile) -> None:
    settled()
    (gate,) = [one for one in local.ledger.decisions() if one["kind"] == "gate"]
    assert gate["subject"] == "run-1"
    assert gate["inputs"]["loss"] == {"challenger": 0.1}
    assert (gate["inputs"]["rows"], gate["inputs"]["margin"]) == (900, 0.02)


def test_a_run_costs_the_billed_seconds_of_each_job_at_its_own_price(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    settled()
    assert spent(local) == price("ml.c5.xlarge", 600) + 2 * price("ml.m5.large", 90)
    remaining = local.ledger.remaining_micro_usd("2013-04", budget_micro_usd=10**6)
    assert remaining == 10**6 - spent(local)


def test_each_job_is_kept_with_its_type_its_billed_seconds_and_how_it_ended(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    settled()
    (run,) = local.ledger.runs()
    rows = PLAN.snapshot_rows
    check = {"component": "Processing", "instance_type": "ml.m5.large", "billed_seconds": 90.0}
    train = {"component": "Training", "instance_type": "ml.c5.xlarge", "billed_seconds": 600.0}
    assert run["jobs"] == [{**job, "outcome": "completed", "rows": rows} for job in (check, train, check)]


def test_a_job_that_ran_out_of_memory_is_kept_as_such(local: Local, runs: Runs, settled: Reconcile) -> None:
    runs.status = "Failed"
    runs.training |= {
        "TrainingJobStatus": "Failed",
        "FailureReason": "AlgorithmError: MemoryError, exit code: 1",
    }
    settled()
    (run,) = local.ledger.runs()
    assert [job["outcome"] for job in run["jobs"]] == ["completed", "out-of-memory", "completed"]


def test_the_instance_that_the_job_got_is_what_is_paid(local: Local, runs: Runs, settled: Reconcile) -> None:
    runs.instance = {"SelectedInstanceType": "ml.m5.4xlarge"}
    settled()
    assert spent(local) == price("ml.m5.4xlarge", 600) + 2 * price("ml.m5.large", 90)


def test_a_refused_model_settles_the_run_and_people_are_told_the_gates_reason(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    report(local, passed=False)
    assert settled(ended()) == ["run-1"]
    assert local.decisions("gate") == [("refused", "non-inferior")]
    assert local.messages() == ["tideline-dev: run-1 ended without a new model: 2% better than the champion"]


def test_a_pipeline_that_failed_is_settled_and_told_with_its_reason(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    runs.status, runs.failure = "Failed", "AlgorithmError: exit code 1"
    assert settled() == ["run-1"]
    assert local.ledger.runs()[0]["outcome"] == "Failed"
    assert local.decisions("gate") == [("none", "pipeline-ended")]
    (message,) = local.messages()
    assert message.endswith("the pipeline is Failed: AlgorithmError: exit code 1")


def test_the_reason_of_a_failure_names_the_step_that_failed(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    """The execution itself says only that some step failed."""
    runs.status, runs.failure = "Failed", "One or multiple executed steps failed"
    runs.failed_steps = {"Train": "AlgorithmError: estimator() raised"}
    settled()
    (message,) = local.messages()
    assert message.endswith("the pipeline is Failed: Train: AlgorithmError: estimator() raised")


def test_jobs_that_never_began_cost_nothing_and_hold_up_nothing(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    runs.status, runs.times, runs.training = "Stopped", {}, {}
    assert settled() == ["run-1"]
    assert spent(local) == 0


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_a_run_that_still_goes_is_left_alone(
    local: Local, runs: Runs, settled: Reconcile, status: str
) -> None:
    runs.status = status
    assert settled() == []
    assert local.ledger.runs()[0]["status"] == "STARTED"
    assert local.ledger.decisions() == []


def test_settled_twice_is_paid_back_once_and_told_once(local: Local, runs: Runs, settled: Reconcile) -> None:
    runs.status = "Failed"
    assert (settled(ended()), settled(ended()), settled()) == (["run-1"], [], [])
    remaining = local.ledger.remaining_micro_usd("2013-04", budget_micro_usd=10**6)
    assert remaining == 10**6 - spent(local)
    assert len(local.messages()) == 1


def test_what_could_not_be_told_is_told_when_the_handler_runs_again(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    runs.status = "Failed"
    topic, local.topic_arn = local.topic_arn, local.topic_arn + "-gone"
    with pytest.raises(Exception, match="does not exist"):
        settled()
    local.topic_arn = topic
    assert settled() == ["run-1"]
    assert len(local.messages()) == 1


def test_a_schedule_settles_every_run_that_a_lost_event_left_open(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    late = PLAN.lease_until(NOW)
    assert local.ledger.claim(OTHER, now=late, budget_micro_usd=10**7)
    local.ledger.mark_started("run-2", execution_arn=EXECUTION, now=late)
    report(local, passed=True, run_id="run-2")
    assert settled() == ["run-1", "run-2"]


def test_the_end_of_another_pipeline_is_an_error_of_the_wiring(local: Local, settled: Reconcile) -> None:
    with pytest.raises(ValueError, match="got the pipeline 'other'; allowed: 'tideline-dev-train'"):
        settled(ended("other"))


def test_the_daily_look_asks_after_the_release_too_and_a_pipelines_end_does_not(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    settled(ended())
    asked = ("record", {"cause": "reconcile"})
    assert asked not in local.invoked
    settled()
    assert asked in local.invoked


def test_a_run_that_cannot_be_settled_keeps_neither_another_run_nor_a_release_waiting(
    local: Local, runs: Runs, settled: Reconcile
) -> None:
    """Its report is gone; that is an error, told when all else was looked after."""
    late = PLAN.lease_until(NOW)
    assert local.ledger.claim(OTHER, now=late, budget_micro_usd=10**7)
    local.ledger.mark_started("run-2", execution_arn=EXECUTION, now=late)
    report(local, passed=True, run_id="run-2")
    local.s3.delete_object(Bucket="artefacts", Key="runs/run-1/report/report.json")
    with pytest.raises(RuntimeError, match="could not settle run-1: NoSuchKey"):
        settled()
    assert [run["status"] for run in local.ledger.runs()] == ["STARTED", "SETTLED"]
    assert ("record", {"cause": "reconcile"}) in local.invoked


DELIVERY = "11111111-2222-3333-4444-555555555555"


def delivery_waits() -> dict[str, Any]:
    detail = {
        "pipeline": "tideline-delivery",
        "stage": "dev-Wait",
        "state": "STARTED",
        "execution-id": DELIVERY,
    }
    return {
        "source": "aws.codepipeline",
        "detail-type": "CodePipeline Action Execution State Change",
        "detail": detail,
    }


@pytest.fixture
def answers(local: Local) -> Any:
    """The delivery pipeline, in its approval; a push waits for run-1."""
    local.ledger.wait_for_run(DELIVERY, "run-1", now=NOW)
    latest = {"status": "InProgress", "token": DELIVERY}
    stage = {
        "stageName": "dev-Wait",
        "latestExecution": {"pipelineExecutionId": DELIVERY, "status": "InProgress"},
        "actionStates": [{"actionName": "Release", "latestExecution": latest}],
    }
    return local.script(
        "codepipeline",
        get_pipeline_state=lambda **_: {"stageStates": [stage]},
        put_approval_result=lambda **_: {},
    )


def test_a_push_whose_model_the_gate_refused_is_told_when_its_run_is_settled(
    local: Local, runs: Runs, settled: Reconcile, answers: Any
) -> None:
    report(local, passed=False)
    settled(ended())
    (given,) = answers.called("put_approval_result")
    assert given["result"]["status"] == "Rejected"
    assert "2% better than the champion" in given["result"]["summary"]


def test_a_push_that_comes_to_its_approval_after_its_run_ended_is_answered_at_once(
    local: Local, runs: Runs, settled: Reconcile, answers: Any
) -> None:
    report(local, passed=False)
    body = local.ledger.deliveries_waiting()[0]
    local.ledger.close_delivery(body, outcome="not yet")
    settled(ended())
    assert answers.called("put_approval_result") == []
    local.ledger._put("DELIVERY", DELIVERY, body)
    settled(delivery_waits())
    assert len(answers.called("put_approval_result")) == 1


def test_a_push_whose_model_passed_waits_for_the_release(
    local: Local, runs: Runs, settled: Reconcile, answers: Any
) -> None:
    settled(ended())
    assert answers.calls == []
    assert len(local.ledger.deliveries_waiting()) == 1
