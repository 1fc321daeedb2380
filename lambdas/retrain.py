"""The drift alarm went red: ask the governor, record its decision, and start a run if it says so."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

from domain.decision import Decision
from domain.events import AlarmFired, iso, parse_alarm
from domain.retraining import RetrainState, decide_retrain, incident_id
from domain.settings import RetrainSettings
from domain.training_run import Request
from lambdas import aws, people
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch of queue messages, each an alarm's state change -> the messages to try again."""
    settings = RetrainSettings.from_env(os.environ)
    failures = []
    for record in event["Records"]:
        try:
            alarm = parse_alarm(json.loads(record["body"]), alarm_name=settings.alarm_name)
            _handle(settings, alarm)
        except Exception as error:  # one bad message must not take the others with it
            aws.log(
                "retrain failed", error=f"{type(error).__name__}: {error}", message_id=record["messageId"]
            )
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}


def _handle(settings: RetrainSettings, alarm: AlarmFired) -> None:
    ledger, now = Ledger(settings.ledger_table), utc_now()
    incident = incident_id(alarm)
    if ledger.run(Request("alarm", incident).run_id(settings.deployment)):
        _start(settings, incident)  # a message that came again: what was begun is finished, not judged again
        return
    decision = decide_retrain(
        alarm,
        RetrainState(
            mode=settings.mode,
            paused=ledger.paused(),
            running=ledger.running(now),
            last_start=ledger.last_start(),
            cooldown=timedelta(days=settings.cooldown_days),
        ),
    )
    ledger.record(decision, subject=incident, now=now)
    aws.log("retrain decided", verdict=decision.verdict, rule=decision.rule, incident=incident)
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


def _start(settings: RetrainSettings, incident: str) -> Decision:
    """Ask for a run; the budget, for one, may still refuse it."""
    request = {"cause": "alarm", "incident": incident}
    answer = aws.invoke(aws.client("lambda"), settings.start_training_function, request)
    return Decision.from_json(answer["decision"])
