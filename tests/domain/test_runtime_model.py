"""What is learned from finished jobs: growth, a shape that workloads share, cliffs, failures, and the next run."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures import failure_chances, patterns
from domain.finished_jobs import Job, growth_of, observations, points_of
from domain.learned_choice import MAX_TRIES, Outlook, cheapest_at_risk, miss_chance, next_configuration
from domain.memory_cliff import mark_cliffs
from domain.runtime_model import Configuration, predict, shape_of

VCPUS = (2, 4, 8, 16)
CONFIGURATIONS = [
    Configuration(f"{vcpus} vCPU", 0.05 * vcpus, (math.log2(vcpus),), float(vcpus**0.7), 4.0 * vcpus)
    for vcpus in VCPUS
]


def ran(name: str, seconds: float, size: float = 1.0, *, workload: str = "own", failed: bool = False) -> Job:
    return Job(workload, name, seconds, failed, size)


def scaled(workload: str, one_vcpu_seconds: float, power: float) -> list[Job]:
    """A workload whose runtime falls with vCPU ** power."""
    return [ran(f"{vcpus} vCPU", one_vcpu_seconds / vcpus**power, workload=workload) for vcpus in VCPUS]


def expected(jobs: Sequence[Job], others: Sequence[Job] = (), size: float = 1.0) -> list[float]:
    beliefs, _ = predict(shape_of(CONFIGURATIONS, others), jobs, size)
    return [math.exp(mean) for mean in beliefs.mean]


def test_one_run_tells_of_the_others_by_the_prior_power_of_vcpus() -> None:
    seconds = expected([ran("4 vCPU", 600)])
    assert seconds[1] == pytest.approx(600, rel=0.1)
    assert seconds[2] == pytest.approx(600 / 2**0.7, rel=0.1)
    assert seconds == sorted(seconds, reverse=True)


def test_runs_that_scale_otherwise_are_believed_over_the_prior() -> None:
    seconds = expected([ran("2 vCPU", 600), ran("4 vCPU", 600), ran("8 vCPU", 600)])
    assert seconds[3] > 600 / 2**0.65
    assert seconds[2] == pytest.approx(600, rel=0.15)


def test_other_workloads_of_the_team_shape_what_one_run_tells() -> None:
    others = [job for i in range(12) for job in scaled(f"other {i}", 100.0 * (i + 1), 0.0)]
    seconds = expected([ran("2 vCPU", 600)], others)
    assert seconds[3] == pytest.approx(600, rel=0.2)


@given(st.floats(0.01, 1e3))
def test_the_unit_of_time_changes_no_order(unit: float) -> None:
    jobs = [ran("2 vCPU", 600), ran("4 vCPU", 500)]
    in_unit = [ran(job.configuration, job.seconds * unit) for job in jobs]
    for one, other in zip(expected(jobs), expected(in_unit), strict=True):
        assert other == pytest.approx(one * unit, rel=0.1)


def test_runtime_grows_with_size_as_the_jobs_did() -> None:
    jobs = [ran("4 vCPU", 10 * size**0.5, size) for size in (100.0, 200.0, 400.0, 800.0)]
    assert growth_of(points_of(jobs, 1.0)).slope == pytest.approx(0.5, abs=0.05)
    seen, _ = observations(jobs, 1600.0)
    assert math.exp(seen["4 vCPU"].value) == pytest.approx(400, rel=0.05)


def test_the_further_the_size_the_less_sure_is_the_runtime() -> None:
    jobs = [ran("4 vCPU", 1.0 * size, size) for size in (100.0, 200.0)]
    noises = [observations(jobs, size)[0]["4 vCPU"].noise for size in (200.0, 400.0, 3200.0)]
    assert noises == sorted(noises)


def test_a_jump_in_runtime_is_remembered_as_the_end_of_memory_and_steady_growth_is_not() -> None:
    steady = [ran("8 vCPU", size, size) for size in (100.0, 200.0, 300.0, 400.0)]
    jump = [ran("2 vCPU", 3 * size * (6 if size > 300 else 1), size) for size in (100.0, 200.0, 300.0, 400.0)]
    marked = mark_cliffs([*steady, *jump])
    assert [(job.configuration, job.size) for job in marked if job.failed] == [("2 vCPU", 400.0)]
    assert not any(job.failed for job in mark_cliffs([*steady, *jump], least_runs=2))


def test_short_runs_say_nothing_of_memory() -> None:
    steady = [ran("8 vCPU", size / 100, size) for size in (100.0, 200.0, 300.0, 400.0)]
    jump = [
        ran("2 vCPU", size / 100 * (6 if size > 300 else 1), size) for size in (100.0, 200.0, 300.0, 400.0)
    ]
    assert not any(job.failed for job in mark_cliffs([*steady, *jump]))


def test_what_failed_is_remembered_at_its_size_and_above_and_so_is_less_memory() -> None:
    own = [ran("4 vCPU", 60, 100.0, failed=True)]
    chances = failure_chances(patterns(CONFIGURATIONS, ()), CONFIGURATIONS, own, 200.0)
    assert chances[1] == 1.0
    assert chances[0] > 0.7
    assert chances[0] > chances[2] > chances[3]


def test_what_ended_well_at_twice_the_size_needs_no_fear_now() -> None:
    own = [ran("2 vCPU", 60, 200.0)]
    assert max(failure_chances(patterns(CONFIGURATIONS, ()), CONFIGURATIONS, own, 100.0)) < 0.05


def test_a_workload_that_fails_as_another_did_is_expected_to_go_on_so() -> None:
    other = [
        ran("8 vCPU", 9, workload="odd", failed=True),
        *(ran(f"{v} vCPU", 9, workload="odd") for v in (2, 4, 16)),
    ]
    known = patterns(CONFIGURATIONS, [*other, *scaled("sound", 9, 0.7)])
    own = [ran("8 vCPU", 5, failed=True), ran("4 vCPU", 5)]
    chances = failure_chances(known, CONFIGURATIONS, own, 1.0)
    assert chances[2] == 1.0
    assert max(chances[0], chances[1], chances[3]) < 0.2


def outlook(usd: float, *, sd: float = 0.3, failure: float = 0.0) -> Outlook:
    return Outlook(math.log(usd), sd * sd, failure)


def test_the_first_run_takes_the_least_expected_cost_and_a_likely_failure_counts() -> None:
    assert cheapest_at_risk([outlook(1.0), outlook(0.5)]) == 1
    assert cheapest_at_risk([outlook(1.0), outlook(0.95, failure=0.9)]) == 0
    assert cheapest_at_risk([outlook(1.0), outlook(0.1, failure=1.0)]) == 0


def test_a_try_is_made_where_it_may_pay_later_and_not_where_it_cannot() -> None:
    unsure = [outlook(1.0, sd=0.01), outlook(1.1, sd=0.5)]
    assert next_configuration(unsure, {0: 1.0}, tries=1) == 1
    sure = [outlook(1.0, sd=0.01), outlook(1.5, sd=0.01)]
    assert next_configuration(sure, {0: 1.0}, tries=1) == 0


def test_near_the_end_of_the_horizon_nothing_is_tried() -> None:
    assert next_configuration([outlook(1.0), outlook(1.1, sd=0.5)], {0: 1.0}, tries=1, horizon=2) == 0


def test_after_so_many_tries_the_cheapest_seen_is_kept() -> None:
    outlooks = [outlook(1.0, sd=0.01) for _ in range(MAX_TRIES)] + [outlook(0.1, sd=1.0)]
    seen = {i: 1.0 + i for i in range(MAX_TRIES)}
    assert next_configuration(outlooks, seen, tries=MAX_TRIES) == 0


@given(st.floats(1, 9), st.floats(0.01, 1))
def test_a_later_deadline_is_missed_less_often(log_seconds: float, variance: float) -> None:
    chances = [miss_chance(log_seconds, variance, math.exp(log_seconds + late)) for late in (-1, 0, 1, 3)]
    assert chances == sorted(chances, reverse=True)
    assert chances[1] == pytest.approx(0.5)
