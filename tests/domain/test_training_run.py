from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.training_run import (
    CAUSES,
    Plan,
    Request,
    TrainingState,
    content_id,
    decide_budget,
    decide_training,
    reservation_micro_usd,
)

IMAGE = "sha256:" + "a" * 64
REQUEST = Request("push", "3f2c1a")
READY = TrainingState(
    paused=False,
    image_digest=IMAGE,
    snapshot_id="0123456789abcdef",
    snapshot_rows=48_000,
    trained=frozenset(),
    running=None,
)
PLAN = Plan(
    run_id="run-064a26ca2559d02e",
    cause="push",
    incident="3f2c1a",
    pipeline_name="tideline-dev-train",
    snapshot_id="0123456789abcdef",
    content_id="fedcba9876543210",
    training_instance_type="ml.m5.large",
    processing_instance_type="ml.m5.large",
    max_runtime_minutes=60,
    reserved_micro_usd=230_000,
    champion_model_data=None,
    champion_package=None,
)


@given(st.sampled_from(CAUSES), st.text(min_size=1), st.text())
def test_the_same_request_is_the_same_run_everywhere(cause: str, incident: str, deployment: str) -> None:
    first, again = Request(cause, incident), Request(cause, incident)
    assert first.run_id(deployment) == again.run_id(deployment)
    assert first.run_id(deployment) != first.run_id(f"{deployment}-other")
    assert first.run_id(deployment) != Request(cause, f"{incident} again").run_id(deployment)


def test_the_id_of_a_run_never_changes_from_one_version_to_the_next() -> None:
    assert REQUEST.run_id("tideline-dev") == "run-064a26ca2559d02e"


def test_each_cause_is_a_run_of_its_own() -> None:
    assert len({Request(cause, "3f2c1a").run_id("tideline-dev") for cause in CAUSES}) == len(CAUSES)


def test_a_request_names_an_allowed_cause_and_what_asked() -> None:
    with pytest.raises(ValueError, match="cause: got 'whim'; allowed: push, alarm, schedule, operator"):
        Request("whim", "3f2c1a")
    with pytest.raises(ValueError, match="incident: got nothing; name what asked"):
        Request("push", "")


@pytest.mark.parametrize(
    ("state", "verdict", "rule"),
    [
        (READY, "start", "push"),
        (replace(READY, paused=True), "skip", "paused"),
        (replace(READY, image_digest="none"), "skip", "no-image"),
        (replace(READY, snapshot_id=None), "skip", "no-snapshot"),
        (replace(READY, running="run-1"), "skip", "in-flight"),
        (replace(READY, trained=frozenset({content_id("0123456789abcdef", IMAGE)})), "skip", "nothing-new"),
        (replace(READY, trained=frozenset({content_id("another", IMAGE)})), "start", "push"),
    ],
)
def test_each_rule_decides_where_it_alone_holds(state: TrainingState, verdict: str, rule: str) -> None:
    decision = decide_training(REQUEST, state)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert all(decision.reasons)
    assert decision.inputs["snapshot"] == state.snapshot_id


def test_the_rules_stand_in_order() -> None:
    state = TrainingState(True, "none", None, 0, frozenset(), "run-1")
    order = []
    for lift in ({"paused": False}, {"image_digest": IMAGE}, {"snapshot_id": "s"}, {"running": None}, {}):
        order.append(decide_training(REQUEST, state).rule)
        state = replace(state, **lift)
    assert order == ["paused", "no-image", "no-snapshot", "in-flight", "push"]


@pytest.mark.parametrize(
    ("snapshot", "image"), [("other", IMAGE), ("0123456789abcdef", "sha256:" + "b" * 64)]
)
def test_a_new_snapshot_or_a_new_image_is_something_new(snapshot: str, image: str) -> None:
    assert content_id(snapshot, image) != content_id("0123456789abcdef", IMAGE)


def test_the_reserve_is_each_job_at_its_limit() -> None:
    assert reservation_micro_usd(
        training_usd_per_hour=1.0, processing_usd_per_hour=0.5, max_runtime_minutes=90
    ) == round((1.0 * 1.5 + 0.5 * 2 * 0.5) * 1e6)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(1, 7200))
def test_the_reserve_is_never_below_what_the_jobs_can_cost(
    training: float, processing: float, minutes: int
) -> None:
    reserve = reservation_micro_usd(
        training_usd_per_hour=training, processing_usd_per_hour=processing, max_runtime_minutes=minutes
    )
    assert reserve + 0.001 >= (training * minutes / 60 + processing) * 1e6


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_run_starts_only_within_the_budget(reserve: int, remaining: int) -> None:
    decision = decide_budget(
        reserve_micro_usd=reserve, remaining_micro_usd=remaining, month="2013-04", inputs={}
    )
    assert (decision.verdict == "start") == (reserve <= remaining)


def test_the_last_cent_may_be_spent_and_not_one_more() -> None:
    def rule(remaining: int) -> str:
        return decide_budget(
            reserve_micro_usd=230_000, remaining_micro_usd=remaining, month="2013-04", inputs={}
        ).rule

    assert rule(230_000) == "within-budget"
    assert rule(229_999) == "over-budget"


def test_a_refusal_by_budget_says_how_much_how_much_is_left_and_what_to_do() -> None:
    decision = decide_budget(
        reserve_micro_usd=230_000, remaining_micro_usd=100_000, month="2013-04", inputs={"cause": "push"}
    )
    assert decision.reasons == (
        "the run may cost 0.2300 USD and 0.1000 USD are left of 2013-04; "
        "raise budget_usd_per_month or lower training.max_runtime_minutes",
    )
    assert decision.inputs == {
        "cause": "push",
        "reserve_usd": 0.23,
        "remaining_usd": 0.1,
        "month": "2013-04",
    }


def test_a_plan_survives_its_json() -> None:
    assert Plan.from_json(PLAN.to_json()) == PLAN


def test_a_lease_outlives_all_jobs_at_their_limit() -> None:
    now = datetime(2013, 4, 20, tzinfo=UTC)
    assert PLAN.lease_until(now) - now > timedelta(minutes=60 + 2 * 30)
