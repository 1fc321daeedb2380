"""Decisions made again under other rules."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import PRICES, Governor
from domain.decision import Decision
from domain.events import AlarmFired
from domain.gate import DayLoss, Objection, decide_gate, with_objections
from domain.instances import Workload
from domain.learned_instances import History, choose_learned
from domain.prices import parse_prices
from domain.replay import Replayed, Rules, replay
from domain.retraining import Limits, PastRuns, RetrainState, decide_retrain

BOOK = parse_prices((PRICES / "us-east-1.csv").read_text(), "us-east-1")
LIMITS = Limits(**Governor().model_dump())
RULES = Rules(
    retraining="on",
    cooldown_days=14,
    limits=LIMITS,
    margin=0.02,
    resamples=100,
    memory_gib=4,
    minutes_on_one_vcpu=10,
    deadline_minutes=60,
    use_estimates=True,
    explore=False,
    book=BOOK,
)
NOON = datetime(2013, 4, 20, 12, tzinfo=UTC)
ALARM = AlarmFired("tideline-dev-loss", "1.5 > 1.2", NOON)


def kept(decision: Decision, subject: str = "x") -> dict[str, Any]:
    """As the ledger keeps and gives it back."""
    body = {**decision.to_json(), "subject": subject, "at": "2013-04-20T12:00:00Z"}
    return json.loads(json.dumps(body))


def again(decision: Decision, rules: Rules = RULES) -> Replayed:
    [found] = replay([kept(decision)], rules)
    return found


days_before = st.none() | st.integers(0, 40).map(lambda days: NOON - timedelta(days=days))


@given(
    mode=st.sampled_from(["off", "advise", "on"]),
    paused=st.booleans(),
    running=st.none() | st.just("run-1"),
    last=days_before,
    since=days_before,
    cooldown_days=st.integers(0, 30),
    useless=st.integers(0, 3),
    new_rows=st.none() | st.integers(0, 200),
)
def test_an_alarm_judged_again_under_the_same_rules_is_judged_the_same(
    mode: str,
    paused: bool,
    running: str | None,
    last: datetime | None,
    since: datetime | None,
    cooldown_days: int,
    useless: int,
    new_rows: int | None,
) -> None:
    past = PastRuns((last,) if last else (), useless, new_rows)
    state = RetrainState(mode, paused, running, since, timedelta(days=cooldown_days), NOON, LIMITS, past)
    decision = decide_retrain(ALARM, state)
    found = again(decision, replace(RULES, retraining=mode, cooldown_days=cooldown_days))
    assert found.now == decision


def test_a_shorter_cooldown_would_have_let_the_alarm_start_a_run() -> None:
    state = RetrainState(
        "on", False, None, None, timedelta(days=14), NOON, LIMITS, PastRuns((NOON - timedelta(days=9),))
    )
    found = again(decide_retrain(ALARM, state), replace(RULES, cooldown_days=7))
    assert found.differs
    assert found.now
    assert (found.then["verdict"], found.now.verdict) == ("suppress", "start")


def test_a_decision_of_before_the_caps_were_kept_is_judged_on_what_it_has() -> None:
    state = RetrainState("on", False, None, None, timedelta(days=14), NOON, LIMITS, PastRuns((NOON,)))
    then = kept(decide_retrain(ALARM, state))
    for key in ("starts", "useless", "new_rows", "limits"):
        del then["inputs"][key]
    [found] = replay([then], RULES)
    assert found.now is not None
    assert (found.now.rule, found.differs) == ("cooldown", False)


DAYS = [DayLoss(f"2013-02-{day}", 100, 10.4, 10.0, 15.0) for day in range(10, 24)]


@pytest.mark.parametrize(("margin", "verdict"), [(0.02, "refused"), (0.05, "passed")])
def test_a_wider_margin_would_have_let_a_model_pass(margin: float, verdict: str) -> None:
    gate = decide_gate(DAYS, margin=0.02, resamples=100)
    facts = {"day_losses": [asdict(day) for day in DAYS]}
    found = again(
        Decision("gate", "refused", gate.rule, (gate.reason,), facts), replace(RULES, margin=margin)
    )
    assert found.now
    assert found.now.verdict == verdict
    assert found.differs is (verdict == "passed")


def test_what_else_spoke_against_a_model_stands_whatever_the_margin() -> None:
    gate = with_objections(
        decide_gate(DAYS, margin=0.05, resamples=100), [Objection("slice", "EWR is worse")]
    )
    facts = {"day_losses": [asdict(day) for day in DAYS], **asdict(gate)}
    found = again(Decision("gate", "refused", gate.rule, (gate.reason,), facts), replace(RULES, margin=0.05))
    assert found.now
    assert (found.now.verdict, found.now.rule) == ("refused", "slice")


def chosen(workload: Workload) -> Decision:
    choice = choose_learned(BOOK, workload, History((), rows=0))
    inputs = {"workload": asdict(workload), "finished": [], "rows": 0}
    return Decision("instance", choice.winner.instance_type, choice.rule, choice.reasons, inputs)


JOB = Workload("Training", 4, minutes_on_one_vcpu=10, deadline_minutes=60)


def test_more_memory_would_have_chosen_another_type_for_a_job() -> None:
    assert not again(chosen(JOB)).differs
    assert again(chosen(JOB), replace(RULES, memory_gib=100)).differs


def test_what_a_job_needs_says_nothing_of_the_endpoint() -> None:
    hosting = chosen(Workload("Hosting", 4, vcpus=2))
    assert not again(hosting, replace(RULES, memory_gib=100)).differs


def test_rules_that_no_type_meets_are_an_answer_and_no_failure() -> None:
    found = again(chosen(JOB), replace(RULES, memory_gib=100_000))
    assert found.now
    assert found.now.verdict == "none"


def test_a_decision_whose_inputs_an_older_version_did_not_keep_is_told_and_not_guessed() -> None:
    found = again(Decision("retrain", "start", "alarm", ("because",), {"mode": "on"}))
    assert (found.now, found.differs) == (None, False)
    assert "did not keep" in found.why_not


def test_a_judgement_on_what_aws_showed_is_not_made_again() -> None:
    found = again(Decision("release", "live", "endpoint-runs-it", ("because",), {}))
    assert found.now is None
