from typing import Any

import pytest

from tests.lambdas.local import NOW, Local
from tests.lambdas.settling_world import Reconcile, Runs, ended, report

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
