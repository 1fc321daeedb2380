from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Governor
from domain.events import AlarmFired
from domain.retraining import Limits, PastRuns, RetrainState, decide_retrain, incident_id, past_runs

NOON = datetime(2013, 4, 20, 12, tzinfo=UTC)
ALARM = AlarmFired("tideline-dev-loss", "1.5 > 1.2", NOON)
LIMITS = Limits(**Governor().model_dump())
FREE = RetrainState(
    mode="on",
    paused=False,
    running=None,
    champion_since=None,
    cooldown=timedelta(days=14),
    now=NOON,
    limits=LIMITS,
)


def started(*days_ago: float) -> PastRuns:
    return PastRuns(tuple(NOON - timedelta(days=days) for days in sorted(days_ago, reverse=True)))


def verdict(state: RetrainState) -> tuple[str, str]:
    decision = decide_retrain(ALARM, state)
    return decision.verdict, decision.rule


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (FREE, ("start", "alarm")),
        (replace(FREE, mode="advise"), ("advise", "retraining-advise")),
        (replace(FREE, mode="off"), ("suppress", "retraining-off")),
        (replace(FREE, paused=True), ("suppress", "paused")),
        (replace(FREE, broken=("temp: 100.0% far out of range",)), ("suppress", "invalid-data")),
        (replace(FREE, running="run-1"), ("suppress", "in-flight")),
        (replace(FREE, past=started(13)), ("suppress", "cooldown")),
        (replace(FREE, past=started(15)), ("start", "alarm")),
        (replace(FREE, champion_since=NOON - timedelta(days=13)), ("suppress", "cooldown")),
        (replace(FREE, champion_since=NOON - timedelta(days=15)), ("start", "alarm")),
    ],
)
def test_each_rule_decides_where_it_alone_holds(state: RetrainState, expected: tuple[str, str]) -> None:
    assert verdict(state) == expected


def test_the_rules_stand_in_order() -> None:
    past = PastRuns((NOON,) * 4, useless=3, new_rows=0)
    state = RetrainState("off", True, "run-1", NOON, timedelta(days=14), NOON, LIMITS, past, ("no labels",))
    order = []
    for lift in (
        {"paused": False},
        {"mode": "advise"},
        {"broken": ()},
        {"running": None},
        {"past": PastRuns((NOON,) * 4, new_rows=0)},
        {"cooldown": timedelta(0)},
        {"limits": replace(LIMITS, runs_per_day=9)},
        {"past": PastRuns(new_rows=0)},
        {"past": PastRuns()},
        {"mode": "on"},
        {},
    ):
        order.append(verdict(state)[1])
        state = replace(state, **lift)
    assert order == [
        "paused",
        "retraining-off",
        "invalid-data",
        "in-flight",
        "breaker",
        "cooldown",
        "daily-cap",
        "monthly-cap",
        "too-few-new-rows",
        "retraining-advise",
        "alarm",
    ]


def test_the_cooldown_is_over_on_its_last_second() -> None:
    second = 1 / 86_400
    assert verdict(replace(FREE, past=started(14)))[0] == "start"
    assert verdict(replace(FREE, past=started(14 - second)))[0] == "suppress"


def test_the_later_of_champion_and_last_run_is_what_cools_down_and_is_named() -> None:
    state = replace(FREE, past=started(20), champion_since=NOON - timedelta(days=2))
    (reason,) = decide_retrain(ALARM, state).reasons
    assert (
        reason == "the champion is live since 2013-04-18T12:00:00Z; cooling down until 2013-05-02T12:00:00Z"
    )


def test_what_counts_is_the_time_of_the_decision_not_of_the_alarm() -> None:
    early = replace(ALARM, at=NOON - timedelta(days=10))
    state = replace(FREE, champion_since=NOON - timedelta(days=15))
    assert decide_retrain(early, state).verdict == "start"


TIMES = st.none() | st.datetimes(datetime(2012, 1, 1), datetime(2014, 1, 1), timezones=st.just(UTC))
STATES = st.builds(
    RetrainState,
    mode=st.sampled_from(["off", "advise", "on"]),
    paused=st.booleans(),
    running=st.none() | st.just("run-1"),
    champion_since=TIMES,
    cooldown=st.timedeltas(timedelta(0), timedelta(days=400)),
    now=st.just(NOON),
    limits=st.just(LIMITS),
    past=st.builds(
        PastRuns,
        starts=st.lists(st.integers(0, 60), max_size=6).map(lambda days: started(*days).starts),
        useless=st.integers(0, 5),
        new_rows=st.none() | st.integers(0, 300),
    ),
)


@given(STATES)
def test_nothing_starts_while_a_run_is_in_flight_or_cooling_down_or_against_the_config(
    state: RetrainState,
) -> None:
    starts, limits = [at for at in (state.last_alarm_start, state.champion_since) if at], state.limits
    cooling = any(at + state.cooldown * 2**state.past.useless > NOON for at in starts)
    capped = (
        sum(at > NOON - timedelta(days=1) for at in state.past.starts) >= limits.runs_per_day
        or sum(at > NOON - timedelta(days=30) for at in state.past.starts) >= limits.runs_per_month
        or state.past.useless >= limits.useless_runs
        or (state.past.new_rows is not None and state.past.new_rows < limits.new_rows)
    )
    may_not = state.running or cooling or capped or state.paused or state.mode != "on"
    assert (decide_retrain(ALARM, state).verdict == "start") is not bool(may_not)


@given(STATES)
def test_each_decision_says_why_and_on_what(state: RetrainState) -> None:
    decision = decide_retrain(ALARM, state)
    assert decision.kind == "retrain"
    assert all(decision.reasons)
    assert decision.inputs["incident"] == incident_id(ALARM)
    assert decision.inputs["mode"] == state.mode


def test_a_redelivered_alarm_is_the_same_incident_and_the_next_one_is_another() -> None:
    assert incident_id(replace(ALARM, reason="told otherwise")) == incident_id(ALARM)
    assert incident_id(replace(ALARM, at=NOON + timedelta(hours=1))) != incident_id(ALARM)


def run(day: int, cause: str = "alarm", **ended: Any) -> dict[str, Any]:
    """A run that was claimed on a day of April; settled if it says how it ended."""
    plan = {"run_id": f"run-of-{day}", "cause": cause, "snapshot_rows": ended.pop("rows", 1000 * day)}
    status = "SETTLED" if ended else "STARTED"
    return {"plan": plan, "claimed_at": f"2013-04-{day:02}T13:00:00Z", "status": status, **ended}


PASSED = {"outcome": "Succeeded", "gate": "passed"}
REFUSED = {"outcome": "Failed", "gate": "refused"}


def useless(*runs: dict[str, Any], since: datetime | None = None) -> int:
    return past_runs(runs, champion_since=since, snapshot_rows=None).useless


def test_useless_runs_are_counted_in_a_row_up_to_the_last() -> None:
    assert useless(run(1, **REFUSED), run(2, **REFUSED)) == 2
    assert useless(run(1, **REFUSED), run(3, **PASSED), run(2, **REFUSED)) == 0
    assert useless(run(1, **PASSED), run(2, **REFUSED), run(3)) == 1


def test_a_run_whose_model_passed_the_gate_in_vain_is_useless_too() -> None:
    runs = [run(day, **PASSED) for day in (1, 2)]
    for one, run_id in zip(runs, ("run-1", "run-2"), strict=True):
        one["plan"]["run_id"] = run_id
    kept = past_runs(runs, champion_since=None, snapshot_rows=None, failed={"run-2"})
    assert kept.useless == 1


def test_runs_that_others_asked_for_and_those_under_an_earlier_champion_are_not_counted() -> None:
    assert useless(run(1, "push", **REFUSED), run(2, "operator", **REFUSED)) == 0
    since = datetime(2013, 4, 2, tzinfo=UTC)
    assert useless(run(1, **REFUSED), run(3, **REFUSED), since=since) == 1


def test_a_run_of_before_the_gate_was_kept_is_judged_by_its_outcome() -> None:
    assert useless(run(1, outcome="Failed"), run(2, outcome="Stopped")) == 2
    assert useless(run(1, outcome="Failed"), run(2, outcome="Succeeded")) == 0


@pytest.mark.parametrize(("rows", "new"), [(2500, 500), (2000, 0), (1999, None), (None, None)])
def test_new_rows_are_those_beyond_the_last_run_that_succeeded(rows: int | None, new: int | None) -> None:
    runs = [run(1, "push", **PASSED), run(2, **PASSED), run(3, **REFUSED)]
    assert past_runs(runs, champion_since=None, snapshot_rows=rows).new_rows == new


def test_without_a_run_that_succeeded_every_row_is_new() -> None:
    assert past_runs([run(1, **REFUSED)], champion_since=None, snapshot_rows=7).new_rows is None


def test_each_useless_run_doubles_the_cooldown_and_the_reason_says_so() -> None:
    state = replace(FREE, past=replace(started(20), useless=1))
    (reason,) = decide_retrain(ALARM, state).reasons
    assert reason.endswith("cooling down until 2013-04-28T12:00:00Z, 2 times as long after 1 useless run")
    assert verdict(replace(state, past=replace(started(28), useless=1))) == ("start", "alarm")


def test_after_useless_runs_in_a_row_no_alarm_starts_another_however_long_ago() -> None:
    state = replace(FREE, past=replace(started(400), useless=3))
    assert verdict(state) == ("suppress", "breaker")
    assert "./tideline retrain" in decide_retrain(ALARM, state).reasons[0]
