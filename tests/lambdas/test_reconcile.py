from dataclasses import replace

import pytest

from domain.instances import micro_usd
from lambdas import reconcile
from lambdas.choose_instance import price_book
from tests.lambdas.local import NOW, Local
from tests.lambdas.settling_world import EXECUTION, SETTINGS, Reconcile, Runs, ended, report
from tests.lambdas.test_ledger import OTHER, PLAN

PRICES = price_book("us-east-1")


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


def test_a_model_that_waits_for_a_person_is_told_with_its_report_and_how_to_approve_it(
    local: Local, runs: Runs
) -> None:
    local.functions["tideline-dev-record-release"] = lambda **_: {"rule": "nothing-in-flight"}
    settings = replace(SETTINGS, topic_arn=local.topic_arn, approval="person")
    for _ in range(2):
        local.run(reconcile, settings, {"detail-type": "Scheduled Event"})
    assert local.messages() == [
        "tideline-dev: model 7 of run-1 passed the gate and waits for your approval: 2% better than the champion\n"
        "Read its report: aws s3 cp s3://artefacts/runs/run-1/report/report.html .\n"
        "Approve it: ./tideline approve 7"
    ]


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
    asked = ("tideline-dev-record-release", {"cause": "reconcile"})
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
    assert ("tideline-dev-record-release", {"cause": "reconcile"}) in local.invoked
