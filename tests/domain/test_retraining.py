from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import AlarmFired
from domain.retraining import RetrainState, decide_retrain, incident_id

NOON = datetime(2013, 4, 20, 12, tzinfo=UTC)
ALARM = AlarmFired("tideline-dev-loss", "1.5 > 1.2", NOON)
FREE = RetrainState(
    mode="on",
    paused=False,
    running=None,
    last_alarm_start=None,
    champion_since=None,
    cooldown=timedelta(days=14),
    now=NOON,
)


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
        (replace(FREE, last_alarm_start=NOON - timedelta(days=13)), ("suppress", "cooldown")),
        (replace(FREE, last_alarm_start=NOON - timedelta(days=15)), ("start", "alarm")),
        (replace(FREE, champion_since=NOON - timedelta(days=13)), ("suppress", "cooldown")),
        (replace(FREE, champion_since=NOON - timedelta(days=15)), ("start", "alarm")),
    ],
)
def test_each_rule_decides_where_it_alone_holds(state: RetrainState, expected: tuple[str, str]) -> None:
    assert verdict(state) == expected


def test_the_rules_stand_in_order() -> None:
    state = RetrainState("off", True, "run-1", NOON, NOON, timedelta(days=14), NOON, ("no labels",))
    order = []
    for lift in (
        {"paused": False},
        {"mode": "advise"},
        {"broken": ()},
        {"running": None},
        {"last_alarm_start": None, "champion_since": None},
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
        "cooldown",
        "retraining-advise",
        "alarm",
    ]


def test_the_cooldown_is_over_on_its_last_second() -> None:
    two_weeks_ago = NOON - timedelta(days=14)
    assert verdict(replace(FREE, last_alarm_start=two_weeks_ago))[0] == "start"
    assert verdict(replace(FREE, last_alarm_start=two_weeks_ago + timedelta(seconds=1)))[0] == "suppress"


def test_the_later_of_champion_and_last_run_is_what_cools_down_and_is_named() -> None:
    state = replace(FREE, last_alarm_start=NOON - timedelta(days=20), champion_since=NOON - timedelta(days=2))
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
    last_alarm_start=TIMES,
    champion_since=TIMES,
    cooldown=st.timedeltas(timedelta(0), timedelta(days=400)),
    now=st.just(NOON),
)


@given(STATES)
def test_nothing_starts_while_a_run_is_in_flight_or_cooling_down_or_against_the_config(
    state: RetrainState,
) -> None:
    starts = [at for at in (state.last_alarm_start, state.champion_since) if at]
    cooling = any(at + state.cooldown > NOON for at in starts)
    if state.running or cooling or state.paused or state.mode != "on":
        assert decide_retrain(ALARM, state).verdict != "start"
    else:
        assert decide_retrain(ALARM, state).verdict == "start"


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
