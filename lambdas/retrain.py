"""The drift alarm went red, or still is: ask the governor, record its decision, and start a run if it says so."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import Any

from domain.decision import Decision
from domain.events import AlarmFired, is_scheduled, iso, parse_alarm, utc
from domain.judging import runs_in_vain
from domain.monitoring import broken_data
from domain.retraining import BREAKER, Limits, RetrainState, decide_retrain, incident_id, past_runs
from domain.settings import RetrainSettings
from domain.training_run import Request
from lambdas import aws, people
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch of queue messages -> those to try again. Each is the alarm's state change, or a daily look at it.

    An alarm sends no second event while it stays red, though what spoke against a run may have passed.
    """
    settings = RetrainSettings.from_env(os.environ)
    failures = []
    for record in event["Records"]:
        try:
            event = json.loads(record["body"])
            if not is_scheduled(event):
                _handle(settings, parse_alarm(event, alarm_name=settings.alarm_name))
            elif alarm := _still_red(settings.alarm_name):
                _handle(settings, alarm, still_red=True)
        except Exception as error:  # one bad message must not take the others with it
            aws.log(
                "retrain failed", error=f"{type(error).__name__}: {error}", message_id=record["messageId"]
            )
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _still_red(alarm_name: str) -> AlarmFired | None:
    """The alarm as its state change told it, if it is in ALARM now."""
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm_name])["MetricAlarms"]
    if not found or found[0]["StateValue"] != "ALARM":
        return None
    since = utc(found[0]["StateUpdatedTimestamp"].isoformat())
    return AlarmFired(alarm_name, found[0].get("StateReason", ""), since)


def _handle(settings: RetrainSettings, alarm: AlarmFired, *, still_red: bool = False) -> None:
    ledger, now = Ledger(settings.ledger_table), utc_now()
    incident = incident_id(alarm)
    run = ledger.run(Request("alarm", incident).run_id(settings.deployment))
    if run and not (still_red and run["status"] == "SETTLED"):
        _start(settings, incident)  # a message that came again: what was begun is finished, not judged again
        return
    decision = decide_retrain(alarm, _state(settings, ledger, now))
    if run and decision.rule != BREAKER:
        if decision.verdict == "suppress":
            return  # the run for this incident was decided and told; it may need time to show
        incident = f"{incident}/{now:%Y-%m-%d}"  # red after its run too: another one, on newer data
    ledger.record(decision, subject=incident, now=now)
    outcome = _start(settings, incident) if decision.verdict == "start" else decision
    if outcome.verdict != "start":
        because = f"{outcome.verdict} ({outcome.rule}), {'; '.join(outcome.reasons)}"
        people.tell(
            ledger,
            settings.topic_arn,
            about=f"{incident} {outcome.rule}",
            subject=f"{settings.deployment}: drift",
            message=f"{settings.deployment}: {because}. Alarm at {iso(alarm.at)}.",
        )


def _state(settings: RetrainSettings, ledger: Ledger, now: datetime) -> RetrainState:
    champion, snapshot = ledger.champion(), ledger.latest_snapshot()
    since = utc(champion.since) if champion else None
    return RetrainState(
        mode=settings.mode,
        paused=ledger.paused(),
        running=ledger.running(now),
        champion_since=since,
        cooldown=timedelta(days=settings.cooldown_days),
        now=now,
        past=past_runs(
            ledger.runs(),
            champion_since=since,
            snapshot_rows=snapshot["rows"] if snapshot else None,
            failed=runs_in_vain(ledger.decisions(), ledger.releases()),
        ),
        limits=Limits(
            settings.cooldown_growth,
            settings.runs_per_day,
            settings.runs_per_month,
            settings.useless_runs,
            settings.new_rows,
        ),
        broken=broken_data(ledger.watched(champion.release_id)) if champion else (),
    )


def _start(settings: RetrainSettings, incident: str) -> Decision:
    """Ask for a run; the budget, for one, may still refuse it."""
    request = {"cause": "alarm", "incident": incident}
    answer = aws.invoke(aws.client("lambda"), settings.start_training_function, request)
    return Decision.from_json(answer["decision"])
