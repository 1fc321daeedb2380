"""The governor: does this alarm start a training run?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.decision import Decision
from domain.events import AlarmFired, iso


@dataclass(frozen=True)
class RetrainState:
    """What the governor looks at, read from the ledger just before."""

    mode: str
    paused: bool
    running: str | None
    """The id of the training run in flight."""
    last_start: datetime | None
    """When the last run started, whatever its cause."""
    cooldown: timedelta


def incident_id(alarm: AlarmFired) -> str:
    """One incident is one alarm going red: redeliveries of its event carry the same time.

    >>> from datetime import UTC
    >>> incident_id(AlarmFired("tideline-dev-loss", "", datetime(2013, 4, 20, 13, tzinfo=UTC)))
    'tideline-dev-loss@2013-04-20T13:00:00Z'
    """
    return f"{alarm.alarm_name}@{iso(alarm.at)}"


def decide_retrain(alarm: AlarmFired, state: RetrainState) -> Decision:
    """Start, advise or suppress. The rules stand in order; the first that holds decides."""
    inputs = {
        "incident": incident_id(alarm),
        "alarm_reason": alarm.reason,
        "mode": state.mode,
        "last_start": iso(state.last_start) if state.last_start else None,
        "cooldown_hours": state.cooldown.total_seconds() / 3600,
    }

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("retrain", verdict, rule, (reason,), inputs)

    if state.paused:
        return decided(
            "suppress", "paused", "somebody paused this deployment; `./tideline pause --resume` ends that"
        )
    if state.mode == "off":
        return decided("suppress", "retraining-off", "the config says retraining: off")
    if state.running:
        return decided("suppress", "in-flight", f"training run {state.running} is still going")
    if state.last_start and alarm.at < state.last_start + state.cooldown:
        ends = iso(state.last_start + state.cooldown)
        return decided(
            "suppress", "cooldown", f"the last run started {iso(state.last_start)}; cooling down until {ends}"
        )
    if state.mode == "advise":
        return decided("advise", "retraining-advise", "the config says retraining: advise; a person decides")
    return decided("start", "alarm", f"{alarm.alarm_name} is in ALARM and nothing speaks against a run")
