import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.gaussian import Observation, cholesky, condition, normal_cdf, student_cdf

NUMBERS = st.floats(-3, 3)


def alike(i: int, j: int) -> float:
    """Neighbours have much in common, strangers little."""
    return math.exp(-abs(i - j) / 2)


def test_without_observations_nothing_moves() -> None:
    beliefs = condition([1.0, 2.0], alike, {})
    assert beliefs.mean == (1.0, 2.0)
    assert beliefs.variance == (1.0, 1.0)


@given(NUMBERS, st.floats(0.01, 1))
def test_what_was_seen_moves_its_neighbours_more_than_strangers(value: float, noise: float) -> None:
    beliefs = condition([0.0] * 4, alike, {0: Observation(value, noise)})
    moved = [abs(mean) for mean in beliefs.mean]
    assert moved == sorted(moved, reverse=True)
    assert list(beliefs.variance) == sorted(beliefs.variance)
    assert beliefs.mean[0] == pytest.approx(value / (1 + noise))


@given(st.lists(NUMBERS, min_size=3, max_size=3))
def test_no_observation_makes_anything_less_sure(values: list[float]) -> None:
    before = condition([0.0] * 4, alike, {0: Observation(values[0], 0.1)})
    seen = {i: Observation(value, 0.1) for i, value in enumerate(values)}
    after = condition([0.0] * 4, alike, seen)
    assert all(late <= early + 1e-12 for early, late in zip(before.variance, after.variance, strict=True))


def test_numbers_that_have_nothing_in_common_do_not_move_each_other() -> None:
    beliefs = condition([0.0, 5.0], lambda i, j: float(i == j), {0: Observation(1.0, 0.5)})
    assert (beliefs.mean[1], beliefs.variance[1]) == (5.0, 1.0)


def test_a_covariance_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not positive definite, at row 1"):
        cholesky([[1.0, 2.0], [2.0, 1.0]])


@given(st.floats(0.1, 3))
def test_the_tails_of_student_are_wider_and_both_are_symmetric(z: float) -> None:
    for cdf in (normal_cdf, student_cdf):
        assert cdf(z) + cdf(-z) == pytest.approx(1)
        assert cdf(z) > cdf(z - 0.1)
    assert 1 - student_cdf(z + 1) > 1 - normal_cdf(z + 1)
