from __future__ import annotations

import random

from domain.gate import DayLoss
from domain.slices import SliceVerdict, judge_slices


def days(
    ratio: float, *, rows: int = 50, number: int = 14, noise: float = 0.0, seed: int = 0
) -> list[DayLoss]:
    draw = random.Random(seed)
    champion = [rows * draw.uniform(0.1, 0.2) for _ in range(number)]
    return [
        DayLoss(f"2013-02-{i + 1:02d}", rows, loss * (ratio + draw.uniform(-noise, noise)), loss, rows * 0.2)
        for i, loss in enumerate(champion)
    ]


def judge(*slices: list[DayLoss], margin: float = 0.1) -> list[SliceVerdict]:
    named = {("origin", f"place {i}"): one for i, one in enumerate(slices)}
    return judge_slices(named, margin=margin)


def test_a_slice_that_is_surely_worse_is_refused_by_name_and_the_others_stand() -> None:
    better, worse = judge(days(0.9), days(1.3, noise=0.05))
    assert better.passed
    assert not worse.passed
    assert worse.reason.startswith("origin 'place 1': loss 0.2")
    assert worse.reason.endswith("allowed is +10.00%")


def test_a_slice_that_only_may_be_worse_is_not_refused() -> None:
    [verdict] = judge(days(1.15, noise=0.6, seed=3))
    assert verdict.relative_difference is not None
    assert verdict.relative_difference > 0.1
    assert verdict.lower_bound is not None
    assert verdict.lower_bound < 0.1
    assert verdict.passed


def test_too_few_rows_or_days_say_nothing() -> None:
    for one in (days(2.0, rows=7), days(2.0, number=4)):
        [verdict] = judge(one)
        assert verdict.passed
        assert verdict.lower_bound is None
        assert "too few to say" in verdict.reason


def test_without_a_champion_a_slice_is_held_against_the_base_rate() -> None:
    first = [DayLoss(day.day, day.rows, day.challenger, None, day.rows * 0.05) for day in days(1.0)]
    [verdict] = judge(first)
    assert not verdict.passed


def test_of_twenty_slices_that_are_worse_nowhere_hardly_any_challenger_is_refused() -> None:
    """The level is shared out: 5% of challengers, not 5% of slices."""
    refused = 0
    for season in range(200):
        slices = [days(1.1, noise=0.8, seed=season * 100 + i) for i in range(20)]
        named = {("origin", str(i)): one for i, one in enumerate(slices)}
        verdicts = judge_slices(named, margin=0.1)
        refused += any(not verdict.passed for verdict in verdicts)
    assert refused <= 18
