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
    last_alarm_start: datetime | None
    """When the last run that an alarm asked for started."""
    champion_since: datetime | None
    """A new champion needs time to show in the measured loss, whoever asked for it."""
    cooldown: timedelta
    now: datetime
    broken: tuple[str, ...] = ()
    """What is broken in the live model's newest data, if it is more than values that are new."""


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
        "alarm_name": alarm.alarm_name,
        "alarm_at": iso(alarm.at),
        "alarm_reason": alarm.reason,
        "mode": state.mode,
        "paused": state.paused,
        "running": state.running,
        "decided_at": iso(state.now),
        "last_alarm_start": iso(state.last_alarm_start) if state.last_alarm_start else None,
        "champion_since": iso(state.champion_since) if state.champion_since else None,
        "cooldown_hours": state.cooldown.total_seconds() / 3600,
        "broken": list(state.broken),
    }

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("retrain", verdict, rule, (reason,), inputs)

    if state.paused:
        return decided(
            "suppress", "paused", "somebody paused this deployment; `./tideline pause --resume` ends that"
        )
    if state.mode == "off":
        return decided("suppress", "retraining-off", "the config says retraining: off")
    if state.broken:
        return decided("suppress", "invalid-data", f"the newest data are broken: {'; '.join(state.broken)}")
    if state.running:
        return decided("suppress", "in-flight", f"training run {state.running} is still going")
    if cooling := _cooling_down(state):
        return decided("suppress", "cooldown", cooling)
    if state.mode == "advise":
        return decided("advise", "retraining-advise", "the config says retraining: advise; a person decides")
    return decided("start", "alarm", f"{alarm.alarm_name} is in ALARM and nothing speaks against a run")


def _cooling_down(state: RetrainState) -> str | None:
    """Why it is too early, or None. A run that ended without a new champion cools nothing down but its own alarm."""
    since = {
        "the last run for an alarm started": state.last_alarm_start,
        "the champion is live since": state.champion_since,
    }
    latest, what = max(((at, what) for what, at in since.items() if at), default=(None, ""))
    if latest is None or state.now >= latest + state.cooldown:
        return None
    return f"{what} {iso(latest)}; cooling down until {iso(latest + state.cooldown)}"
