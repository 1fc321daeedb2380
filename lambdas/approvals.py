"""Answers the delivery pipeline: its approval action waits for the release of the run that a push started."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.delivery import judge_wait
from domain.names import WAIT_ACTION
from lambdas import aws
from lambdas.ledger import Ledger

SUMMARY_LIMIT = 512
GONE = ("PipelineNotFoundException", "PipelineExecutionNotFoundException")


def answer(ledger: Ledger, *, pipeline: str, stage: str, now: datetime) -> list[str]:
    """Answer each push that waits and whose release has come to an end; returns the executions answered.

    An execution that has not come to its approval yet stays open: that the action starts is an event, too.
    """
    waiting = ledger.deliveries_waiting()
    if not waiting:
        return []
    decisions, releases, answered = ledger.decisions(), ledger.releases(), []
    opened = ledger.open_release_body()
    under_way = {one["package_arn"] for one in [*ledger.waiting(), *([opened] if opened else [])]}
    for body in waiting:
        decision = judge_wait(ledger.run(body["run_id"]), decisions, releases, under_way)
        if decision.verdict != "wait" and _put(pipeline, stage, body["execution"], decision):
            ledger.record(decision, subject=f"{body['execution']}/{body['run_id']}", now=now)
            ledger.close_delivery(body, outcome=decision.verdict)
            aws.log("delivery answered", execution=body["execution"], verdict=decision.verdict)
            answered.append(body["execution"])
    return answered


def _put(pipeline: str, stage: str, execution: str, decision: Decision) -> bool:
    """Give the answer; False while the execution does not ask. One that was ended otherwise takes no answer."""
    codepipeline = aws.client("codepipeline")
    try:
        token = _token(codepipeline.get_pipeline_state(name=pipeline), stage, execution)
        if token is None:
            found = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)
            return bool(found["pipelineExecution"]["status"] != "InProgress")
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        return True  # the pipeline was removed or made anew: nobody waits any more
    status = "Approved" if decision.verdict == "approved" else "Rejected"
    codepipeline.put_approval_result(
        pipelineName=pipeline,
        stageName=stage,
        actionName=WAIT_ACTION,
        token=token,
        result={"status": status, "summary": "; ".join(decision.reasons)[:SUMMARY_LIMIT]},
    )
    return True


def _token(state: dict[str, Any], stage: str, execution: str) -> str | None:
    """The token of the approval that this execution asks for right now."""
    for one in state["stageStates"]:
        asks = one.get("latestExecution", {}).get("pipelineExecutionId") == execution
        if one["stageName"] != stage or not asks:
            continue
        for action in one["actionStates"]:
            latest = action.get("latestExecution", {})
            if action["actionName"] == WAIT_ACTION and latest.get("status") == "InProgress":
                return str(latest["token"]) if "token" in latest else None
    return None
