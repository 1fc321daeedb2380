"""Serving settled: judge by what the endpoint runs, crown, hold or reject, clean up, and release what waited."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.events import iso, parse_rollback_alarm, parse_stack_settled, utc
from domain.judging import (
    BUSY,
    STUCK,
    Evidence,
    Observed,
    decide_restoring,
    decide_stuck_rollback,
    is_to_be_rejected,
    judge_release,
)
from domain.names import ENDPOINT_RESOURCE, RELEASE_PARAMETER, SCALING_OFF, SCALING_PARAMETER
from domain.releases import Champion, ReleaseRecord, decide_unstarted, due, takes_updates
from domain.returning import RETRY_AFTER, Rejected, is_tried_again
from domain.settings import RecordReleaseSettings
from lambdas import approvals, aws, endpoint, people
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Serving settled, a rollback alarm fired, or `{"cause": "reconcile"}` -> what became of the release."""
    settings = RecordReleaseSettings.from_env(os.environ)
    ledger = Ledger(settings.ledger_table)
    if event.get("detail-type") == "CloudWatch Alarm State Change":
        return _note_alarm(settings, ledger, event)
    if event.get("cause") != "reconcile":
        parse_stack_settled(event, stack=settings.serving_stack)
    there = endpoint.versions(settings.deployment)
    stack = aws.stack(settings.serving_stack)
    if event.get("cause") == "reconcile" and takes_updates(stack["StackStatus"]):
        _look_after_unstarted(settings, ledger, stack)
        stack = aws.stack(settings.serving_stack)
    status, observed = stack["StackStatus"], _observe(settings, stack)
    if status == STUCK:
        return _free_stack(settings, ledger, observed).to_json()
    if not takes_updates(status):
        return {"verdict": "wait", "rule": "stack-busy", "reasons": [f"Serving is {status}"]}
    decision = _judge(settings, ledger, observed, status)
    approvals.answer(
        ledger, pipeline=settings.delivery_pipeline, stage=settings.delivery_stage, now=utc_now()
    )
    if ledger.open_release_body() is None:
        gone = endpoint.collect(settings.deployment, there, observed)
        aws.log("release recorded", verdict=decision.verdict, reasons=decision.reasons, collected=gone)
        _restore(settings, ledger, observed, named=_named(settings, stack))
    if _has_more_to_do(ledger, stack):
        aws.invoke(aws.client("lambda"), settings.release_model_function, {"cause": "waiting"})
    return decision.to_json()


def _has_more_to_do(ledger: Ledger, stack: dict[str, Any]) -> bool:
    """For release_model: a package waits, or the endpoint has left auto-scaling, for this release or for nothing."""
    opened, given = (
        ledger.open_release_body(),
        {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]},
    )
    if opened:
        return bool(opened.get("stops_scaling")) and not opened.get("is_started")
    return bool(due(ledger.waiting(), utc_now())) or given.get(SCALING_PARAMETER) == SCALING_OFF


def _observe(settings: RecordReleaseSettings, stack: dict[str, Any]) -> Observed:
    by_batch = settings.mode == "batch"
    return endpoint.observe_batch(stack) if by_batch else endpoint.observe(settings.endpoint_name)


def _named(settings: RecordReleaseSettings, stack: dict[str, Any]) -> str:
    """The id of the release whose record Serving is given; `none` without one."""
    given = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    return str(given[RELEASE_PARAMETER].removeprefix(settings.release_prefix))


def _look_after_unstarted(settings: RecordReleaseSettings, ledger: Ledger, stack: dict[str, Any]) -> None:
    """An open release for which Serving was never asked, because the function died or was refused."""
    opened, now = ledger.open_release_body(), utc_now()
    if opened is None or opened.get("is_started") or ledger.paused():
        return
    release_id, package_arn = opened["release_id"], opened["package_arn"]
    is_named = _named(settings, stack) == release_id
    decision = decide_unstarted(release_id, opened_at=utc(opened["opened_at"]), now=now, is_named=is_named)
    ledger.record(decision, subject=f"{release_id}/{package_arn}", now=now)
    if decision.verdict == "resume":
        aws.invoke(aws.client("lambda"), settings.release_model_function, {"cause": "waiting"})
        return
    why = "; ".join(decision.reasons)
    ledger.let_wait(package_arn, because=why, now=now)
    _tell(settings, ledger, about=f"release {release_id} expired", subject="release not started", message=why)
    ledger.close_release(opened, outcome="not-started", now=now)


def _note_alarm(settings: RecordReleaseSettings, ledger: Ledger, event: dict[str, Any]) -> dict[str, Any]:
    """SageMaker acts on the alarm by itself; here it is kept with the release, and people hear of it.

    While a release goes back its alarm may flicker: that is said once.
    """
    alarm = parse_rollback_alarm(event, deployment=settings.deployment)
    said, body = f"{alarm.alarm_name}: {alarm.reason}", ledger.open_release_body()
    is_watched = body is not None and f"-{body['release_id']}-" in alarm.alarm_name
    if body is not None and is_watched:

        def noted(opened: dict[str, Any]) -> dict[str, Any]:
            known = opened.get("alarms", [])
            is_known = any(one.startswith(f"{alarm.alarm_name}: ") for one in known)
            return {} if is_known else {"alarms": [*known, said]}

        ledger.change_open_release(body["release_id"], noted)
    what = "SageMaker rolls it back" if is_watched else "it is live already, so nothing goes back by itself"
    about = alarm.alarm_name if is_watched else f"{alarm.alarm_name}@{iso(alarm.at)}"
    _tell(settings, ledger, about=about, subject="rollback alarm", message=f"{said}; {what}")
    return {"verdict": "noted", "rule": "rollback-alarm", "reasons": [said]}


def _judge(
    settings: RecordReleaseSettings, ledger: Ledger, observed: Observed, stack_status: str
) -> Decision:
    """The release in flight, or the one that serves without having proved itself."""
    opened, held = ledger.open_release_body(), ledger.held_release()
    body = opened or held
    if body is None:
        return Decision("release", "none", "nothing-in-flight", ())
    if opened and not opened.get("is_started"):
        return Decision("release", "wait", "not-started", ("Serving was not asked yet",))
    now, record = utc_now(), ReleaseRecord.from_parameter(body["parameter"])
    evidence = _evidence(settings, ledger, body, observed, now)
    decision = judge_release(
        record, observed, evidence, deployment=settings.deployment, stack_status=stack_status
    )
    if decision.verdict == "wait" or (body is held and decision.verdict != "live"):
        return decision
    ledger.record(decision, subject=f"{body['release_id']}/{record.package_arn}", now=now)
    _act(settings, ledger, body, record, decision)
    return decision


def _evidence(
    settings: RecordReleaseSettings, ledger: Ledger, body: dict[str, Any], observed: Observed, now: datetime
) -> Evidence:
    since, requests, said = utc(body["opened_at"]), 0, []
    if observed.config_name and settings.mode != "batch":
        # All at once, so what a serverless endpoint is asked since then is asked of the new configuration.
        of_config = observed.config_name if settings.mode == "realtime" else None
        requests = endpoint.requests_of(settings.endpoint_name, of_config, since=since, now=now)
    if observed.endpoint_status not in BUSY and not observed.runs_release(
        settings.deployment, body["release_id"]
    ):
        said = endpoint.failures_of(settings.serving_stack, since=since)
    return Evidence(
        requests=requests,
        min_requests=settings.min_requests,
        is_first=ledger.champion() is None,
        alarms=body.get("alarms", []),
        stack_said=said,
    )


def _act(
    settings: RecordReleaseSettings,
    ledger: Ledger,
    body: dict[str, Any],
    record: ReleaseRecord,
    decision: Decision,
) -> None:
    now, why = utc_now(), "; ".join(decision.reasons)
    outcome = {"live": "live", "hold": "held"}.get(decision.verdict, decision.verdict)
    if decision.verdict == "live":
        ledger.crown(_champion(body, record, since=body.get("closed_at") or iso(now)))
    elif decision.verdict == "hold":
        message = f"release {record.release_id} serves, but is not champion yet: {why}"
        _tell(
            settings,
            ledger,
            about=f"release {record.release_id} held",
            subject="release held",
            message=message,
        )
    else:
        serving = ledger.serving()
        if is_to_be_rejected(decision, serving=serving[1] if serving else None):
            _reject(record.package_arn, why)
        message = f"the release of {record.package_arn} {decision.verdict.replace('-', ' ')}: {why}"
        _tell(
            settings,
            ledger,
            about=f"release {record.release_id} failed",
            subject="release failed",
            message=message,
        )
    if is_tried_again(decision, body):
        case, then = Rejected.of(body), now + RETRY_AFTER
        ledger.let_wait(record.package_arn, because=why, now=now, in_place_of=case, not_before=then)
    ledger.close_release(body, outcome=outcome, now=now)


def _champion(body: dict[str, Any], record: ReleaseRecord, *, since: str) -> Champion:
    return Champion(
        release_id=body["release_id"],
        package_arn=record.package_arn,
        model_data=record.model_data,
        image=record.image,
        report_uri=body["report_uri"],
        profile_uri=body["profile_uri"],
        heldout_loss=body["heldout_loss"],
        since=since,
    )


def _reject(package_arn: str, why: str) -> None:
    aws.client("sagemaker").update_model_package(
        ModelPackageArn=package_arn, ModelApprovalStatus="Rejected", ApprovalDescription=why[:1024]
    )


def _restore(settings: RecordReleaseSettings, ledger: Ledger, observed: Observed, *, named: str) -> None:
    """CloudFormation may take a rollback for a success: then Serving names the rejected release.

    What serves, released anew, sets that right; so does any package that waits already.
    """
    serving, releases = ledger.serving(), ledger.releases()
    if serving is None or ledger.waiting():
        return
    release_id, package_arn = serving
    last = releases[-1] if releases else {}
    went_back = last.get("package_arn") == package_arn and last["outcome"] in ("rolled-back", "failed")
    decision = decide_restoring(
        observed, deployment=settings.deployment, named=named, serving=release_id, went_back=went_back
    )
    if decision.verdict == "none":
        return
    why, now = "; ".join(decision.reasons), utc_now()
    ledger.record(decision, subject=f"{named}/restore", now=now)
    if decision.verdict == "restore":
        ledger.let_wait(package_arn, because=why, now=now)
        return
    _tell(
        settings, ledger, about=f"{named} is named", subject="Serving names what does not serve", message=why
    )


def _free_stack(settings: RecordReleaseSettings, ledger: Ledger, observed: Observed) -> Decision:
    """A stack whose rollback failed: go on without the endpoint if that is right already, else call people."""
    opened, serving = ledger.open_release_body(), ledger.serving()
    live = serving[0] if serving else None
    attempt = f"{opened['release_id'] if opened else live}/rollback"
    decision = decide_stuck_rollback(
        observed, deployment=settings.deployment, live_release=live, tried=ledger.was_told(attempt)
    )
    if decision.verdict == "continue-rollback":
        ledger.mark_told(attempt)
        try:
            aws.client("cloudformation").continue_update_rollback(
                StackName=settings.serving_stack, ResourcesToSkip=[ENDPOINT_RESOURCE]
            )
        except ClientError as error:
            decision = Decision("release", "page", "rollback-cannot-continue", (str(error),))
    if decision.verdict != "wait":
        ledger.record(decision, subject=attempt, now=utc_now())
    if decision.verdict == "page":
        about, message = f"{attempt} {decision.rule}", "; ".join(decision.reasons)
        _tell(settings, ledger, about=about, subject="Serving is stuck", message=message)
    return decision


def _tell(settings: RecordReleaseSettings, ledger: Ledger, *, about: str, subject: str, message: str) -> None:
    people.tell(
        ledger,
        settings.topic_arn,
        about=about,
        subject=f"{settings.deployment}: {subject}",
        message=f"{settings.deployment}: {message}",
    )
