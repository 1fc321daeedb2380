from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.schema import Feature
from training.suspects import skill_alone, skills

RNG = np.random.default_rng(0)
TARGETS = (RNG.uniform(size=2000) < 0.3).astype(float)[:, None]


def test_noise_explains_nothing_however_many_values_it_has() -> None:
    names = pd.DataFrame({"name": [f"n{i}" for i in range(2000)]})
    assert skills(names, Feature("name", "category"), TARGETS) == (0.0, 0.0)
    assert skill_alone(RNG.integers(0, 50, 2000), TARGETS) < 0.02


def test_a_column_that_repeats_a_target_of_numbers_is_known_by_its_bins() -> None:
    prices = RNG.normal(100, 20, 2000)
    table = pd.DataFrame({"paid": [f"{price * 1.19:.2f}" for price in prices]})
    alone, of_gaps = skills(table, Feature("paid", "number"), prices[:, None])
    assert alone > 0.98
    assert of_gaps == 0


def test_gaps_where_the_answer_is_yes_are_seen_in_a_column_of_noise() -> None:
    cells = [
        "" if target else f"{value:.3f}"
        for target, value in zip(TARGETS[:, 0], RNG.uniform(size=2000), strict=True)
    ]
    assert skills(pd.DataFrame({"x": cells}), Feature("x", "number"), TARGETS)[1] == 1.0


def test_a_target_that_never_varies_has_nothing_to_explain() -> None:
    assert skill_alone(np.arange(10) % 2, np.ones((10, 1))) == 0.0


def test_a_column_that_names_the_class_explains_all_of_it_and_one_that_names_one_of_three_a_part() -> None:
    kinds = RNG.integers(0, 3, 2000)
    truth = (kinds[:, None] == np.arange(3)).astype(float)
    assert skill_alone(kinds, truth) == pytest.approx(1.0)
    assert 0.4 < skill_alone((kinds == 0).astype(np.int64), truth) < 0.6
