"""What the benchmarks of the gate and of rare classes stand on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate import pair
from benchmarks.imbalance import RARITY, cost_a_million


@pytest.mark.parametrize("excess", [-0.02, 0.0, 0.04])
def test_over_many_days_a_pair_differs_by_what_it_was_made_to_differ_by(excess: float) -> None:
    days = pair(excess, 20_000, seed=1)
    found = sum(day.challenger for day in days) / sum(day.champion or 0.0 for day in days) - 1
    assert found == pytest.approx(excess, abs=0.002)


def test_the_same_seed_is_the_same_pair() -> None:
    assert pair(0.02, 14, 3) == pair(0.02, 14, 3) != pair(0.02, 14, 4)


def test_a_million_rows_cost_what_is_missed_and_what_is_falsely_alarmed() -> None:
    matrix = {"0": {"0": 999_000, "1": 900}, "1": {"0": 20, "1": 80}}
    report = {"binary_classification_metrics": {"confusion_matrix": matrix}, "rows": 1_000_000}
    assert cost_a_million(report) == pytest.approx(20 * 1000 + 900)
    assert np.isclose(RARITY * 1e6, 100)
