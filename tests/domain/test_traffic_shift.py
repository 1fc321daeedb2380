import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.traffic_shift import LONGEST_TIMEOUT_SECONDS, ShiftPlan, plan_shift

SHIFTS = st.sampled_from(["canary", "linear"])


def canary(instances: int, percent: int = 10, bake: int = 10) -> ShiftPlan:
    return plan_shift("canary", instance_count=instances, step_percent=percent, bake_minutes=bake)


def test_one_instance_goes_all_at_once_and_is_watched() -> None:
    plan = canary(1)
    assert (plan.kind, plan.percent, plan.bake_seconds) == ("ALL_AT_ONCE", 100, 600)
    assert not plan.compares_versions


def test_ten_percent_of_two_instances_is_one_and_that_is_half_of_the_traffic() -> None:
    plan = canary(2)
    assert (plan.kind, plan.step_instances, plan.percent) == ("CANARY", 1, 50)


@given(SHIFTS, st.integers(2, 40), st.integers(10, 50), st.integers(4, 30))
def test_a_step_is_what_sagemaker_allows_and_the_shift_ends(
    shift: str, instances: int, percent: int, bake: int
) -> None:
    plan = plan_shift(shift, instance_count=instances, step_percent=percent, bake_minutes=bake)  # type: ignore[arg-type]
    assert 10 <= plan.percent <= 50
    assert plan.timeout_seconds <= LONGEST_TIMEOUT_SECONDS
    assert plan.longest_seconds < plan.timeout_seconds
    if shift == "linear":
        assert plan.step_instances * (plan.steps - 1) < instances <= plan.step_instances * plan.steps


@given(st.integers(4, 60))
def test_an_alarm_can_fire_within_half_a_bake(bake: int) -> None:
    window = canary(2, bake=bake).window
    assert window.seconds <= bake * 60 / 2
    assert 1 <= window.breaching <= window.periods <= 5


def test_a_shift_that_sagemaker_would_cut_off_is_refused_with_what_to_change() -> None:
    with pytest.raises(ValueError, match="takes up to 660 minutes; SageMaker allows 450; lower bake_minutes"):
        plan_shift("linear", instance_count=10, step_percent=10, bake_minutes=60)
