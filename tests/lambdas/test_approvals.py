from __future__ import annotations

from typing import Any

import pytest

from lambdas import approvals
from tests.lambdas.local import NOW, Local, Scripted, refused
from tests.lambdas.test_ledger import PLAN

EXECUTION = "11111111-2222-3333-4444-555555555555"
TOKEN = "99999999-2222-3333-4444-555555555555"
REPORT = f"s3://artefacts/runs/{PLAN.run_id}/report/report.json"


class Pipeline:
    """The delivery pipeline as its state shows it: an execution before its approval, in it, or past it."""

    def __init__(self) -> None:
        self.execution, self.action, self.status = EXECUTION, "InProgress", "InProgress"

    def state(self, name: str) -> dict[str, Any]:
        latest = {"status": self.action, **({"token": TOKEN} if self.action == "InProgress" else {})}
        stage = {
            "stageName": "dev-Wait",
            "latestExecution": {"pipelineExecutionId": self.execution, "status": "InProgress"},
            "actionStates": [{"actionName": "Release", "latestExecution": latest}],
        }
        return {"pipelineName": name, "stageStates": [{"stageName": "Source", "actionStates": []}, stage]}

    def found(self, **_: Any) -> dict[str, Any]:
        return {"pipelineExecution": {"pipelineExecutionId": EXECUTION, "status": self.status}}


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def codepipeline(local: Local, pipeline: Pipeline) -> Scripted:
    local.ledger.claim(PLAN, now=NOW, budget_micro_usd=10**9)
    local.ledger.wait_for_run(EXECUTION, PLAN.run_id, now=NOW)
    return local.script(
        "codepipeline",
        get_pipeline_state=pipeline.state,
        get_pipeline_execution=pipeline.found,
        put_approval_result=lambda **_: {"approvedAt": NOW},
    )


def answer(local: Local) -> list[str]:
    return approvals.answer(local.ledger, pipeline="tideline-delivery", stage="dev-Wait", now=NOW)


def released(local: Local, outcome: str) -> None:
    body = {"release_id": "000001", "package_arn": "arn:p/1", "report_uri": REPORT, "profile_uri": "p"}
    local.ledger.close_release(body, outcome=outcome, now=NOW)


def test_a_push_is_approved_once_when_its_release_is_live(local: Local, codepipeline: Scripted) -> None:
    released(local, "live")
    assert answer(local) == [EXECUTION]
    (given,) = codepipeline.called("put_approval_result")
    assert (given["stageName"], given["actionName"], given["token"]) == ("dev-Wait", "Release", TOKEN)
    assert given["result"] == {"status": "Approved", "summary": "release 000001 is live"}
    assert answer(local) == []
    assert local.decisions("delivery") == [("approved", "live")]


def test_a_push_is_rejected_with_the_reason_when_its_release_failed(
    local: Local, codepipeline: Scripted
) -> None:
    released(local, "failed")
    answer(local)
    (given,) = codepipeline.called("put_approval_result")
    assert given["result"]["status"] == "Rejected"
    assert "release 000001 is not live" in given["result"]["summary"]


def test_a_run_in_training_is_not_answered(local: Local, codepipeline: Scripted) -> None:
    assert answer(local) == []
    assert codepipeline.calls == []


def test_a_push_that_has_not_come_to_its_approval_is_answered_when_it_does(
    local: Local, codepipeline: Scripted, pipeline: Pipeline
) -> None:
    released(local, "live")
    pipeline.execution = "00000000-2222-3333-4444-555555555555"
    assert answer(local) == []
    pipeline.execution = EXECUTION
    assert answer(local) == [EXECUTION]


def test_the_approval_of_another_push_is_not_taken_for_this_one(
    local: Local, codepipeline: Scripted, pipeline: Pipeline
) -> None:
    released(local, "live")
    pipeline.execution = "00000000-2222-3333-4444-555555555555"
    answer(local)
    assert codepipeline.called("put_approval_result") == []


def test_a_push_that_ended_by_itself_is_let_go(
    local: Local, codepipeline: Scripted, pipeline: Pipeline
) -> None:
    released(local, "live")
    pipeline.action, pipeline.status = "Failed", "Failed"
    answer(local)
    assert codepipeline.called("put_approval_result") == []
    assert local.ledger.deliveries_waiting() == []


@pytest.mark.parametrize("gone", ["PipelineNotFoundException", "PipelineExecutionNotFoundException"])
def test_a_push_of_a_pipeline_that_was_removed_or_made_anew_is_let_go(
    local: Local, codepipeline: Scripted, pipeline: Pipeline, gone: str
) -> None:
    """Else no later release would be looked after: each look would stop here."""

    def refuse(**_: Any) -> dict[str, Any]:
        raise refused(gone, "is not there")

    released(local, "live")
    pipeline.execution = "00000000-2222-3333-4444-555555555555"
    call = "get_pipeline_state" if gone == "PipelineNotFoundException" else "get_pipeline_execution"
    codepipeline.answers = {**codepipeline.answers, call: refuse}
    assert answer(local) == [EXECUTION]
    assert local.ledger.deliveries_waiting() == []


def test_without_a_push_that_waits_the_pipeline_is_not_even_asked(local: Local) -> None:
    codepipeline = local.script("codepipeline")
    assert answer(local) == []
    assert codepipeline.calls == []
