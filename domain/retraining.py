"""The governor: does this alarm start a training run?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.counted import counted
from domain.decision import Decision
from domain.events import AlarmFired, iso, utc

MONTH = timedelta(days=30)
DAY = timedelta(days=1)
BREAKER = "breaker"
"""The rule that stops all runs for alarms until a person has looked."""


@dataclass(frozen=True)
class Limits:
    """What bounds the runs for alarms, whatever an alarm says."""

    cooldown_growth: float
    """The cooldown is this many times longer for each useless run in a row."""
    runs_per_day: int
    runs_per_month: int
    """Within 24 hours, and within 30 days."""
    useless_runs: int
    """So many in a row, and no alarm starts a run any more."""
    new_rows: int
    """Fewer rows than these, since the last run that succeeded, teach nothing new."""


@dataclass(frozen=True)
class PastRuns:
    """What the ledger says of earlier runs."""

    starts: tuple[datetime, ...] = ()
    """When each run for an alarm was claimed, in order."""
    useless: int = 0
    """How many of them in a row, up to the last, brought no model that could serve, under this champion."""
    new_rows: int | None = None
    """Rows of the snapshot beyond those of the last run that succeeded; None where that cannot be said."""


def past_runs(
    runs: Sequence[Mapping[str, Any]],
    *,
    champion_since: datetime | None,
    snapshot_rows: int | None,
    failed: Collection[str] = (),
) -> PastRuns:
    """From the bodies of all runs, in any order. `failed` are the ids of those whose model passed the gate in vain."""
    ordered = sorted(runs, key=lambda run: str(run["claimed_at"]))
    asked = [run for run in ordered if run["plan"]["cause"] == "alarm"]
    useless = 0
    for run in asked:
        under_it = champion_since is None or utc(run["claimed_at"]) > champion_since
        if under_it and run["status"] == "SETTLED":
            is_useless = _was_useless(run) or run["plan"]["run_id"] in failed
            useless = useless + 1 if is_useless else 0
    return PastRuns(
        tuple(utc(run["claimed_at"]) for run in asked), useless, _new_rows(ordered, snapshot_rows)
    )


def _was_useless(run: Mapping[str, Any]) -> bool:
    """A run that was settled before its gate was kept is known by its outcome alone."""
    return bool(run["gate"] != "passed" if "gate" in run else run["outcome"] != "Succeeded")


def _new_rows(ordered: Sequence[Mapping[str, Any]], snapshot_rows: int | None) -> int | None:
    """A snapshot with fewer rows than before is another table, of which nothing can be said."""
    known = [run["plan"].get("snapshot_rows", 0) for run in ordered if run.get("outcome") == "Succeeded"]
    if snapshot_rows is None or not known or not known[-1] or snapshot_rows < known[-1]:
        return None
    return int(snapshot_rows - known[-1])


@dataclass(frozen=True)
class RetrainState:
    """What the governor looks at, read from the ledger just before."""

    mode: str
    paused: bool
    running: str | None
    """The id of the training run in flight."""
    champion_since: datetime | None
    """A new champion needs time to show in the measured loss, whoever asked for it."""
    cooldown: timedelta
    now: datetime
    limits: Limits
    past: PastRuns = PastRuns()
    broken: tuple[str, ...] = ()
    """What is broken in the live model's newest data, if it is more than values that are new."""

    @property
    def last_alarm_start(self) -> datetime | None:
        """When the last run that an alarm asked for was claimed."""
        return max(self.past.starts, default=None)


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
        "starts": [iso(at) for at in state.past.starts if at > state.now - MONTH],
        "useless": state.past.useless,
        "new_rows": state.past.new_rows,
        "limits": asdict(state.limits),
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
    if state.past.useless >= state.limits.useless_runs:
        return decided("suppress", BREAKER, _broken(state))
    if cooling := _cooling_down(state):
        return decided("suppress", "cooldown", cooling)
    if capped := _capped(state):
        return decided("suppress", *capped)
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
    grown = state.limits.cooldown_growth**state.past.useless
    if latest is None or state.now >= latest + state.cooldown * grown:
        return None
    why = f", {grown:g} times as long after {counted(state.past.useless, 'useless run')}" if grown > 1 else ""
    return f"{what} {iso(latest)}; cooling down until {iso(latest + state.cooldown * grown)}{why}"


def _broken(state: RetrainState) -> str:
    return (
        f"the last {counted(state.past.useless, 'run')} for an alarm brought no model that could serve; no alarm "
        "starts another until a new model is live: look at the data and the model, then `./tideline retrain`"
    )


def _capped(state: RetrainState) -> tuple[str, str] | None:
    """The rule and its reason, if a cap is reached or there is hardly anything new."""
    caps = (
        ("daily-cap", DAY, state.limits.runs_per_day, "24 hours"),
        ("monthly-cap", MONTH, state.limits.runs_per_month, "30 days"),
    )
    for rule, span, most, said in caps:
        found = sum(at > state.now - span for at in state.past.starts)
        if found >= most:
            return rule, f"{counted(found, 'run')} for alarms within {said}; {most} are allowed"
    new, wanted = state.past.new_rows, state.limits.new_rows
    if new is not None and new < wanted:
        return "too-few-new-rows", f"{counted(new, 'row')} since the last run; {wanted} are wanted"
    return None
