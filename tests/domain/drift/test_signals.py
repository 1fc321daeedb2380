"""Each signal moves with what it is named after, and stays near zero with what chance does."""

import numpy as np
import pytest

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count, ranks
from domain.drift.grid import CELLS, NumberGrid, number_grid
from domain.drift.signals import Training, mix_distance

NUMBERS, SIZE = 4, 3


def rows(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(number, NUMBERS))
    x[:, 1] += x[:, 0]
    return x, random.integers(0, SIZE, number)


@pytest.fixture(scope="module")
def training() -> Training:
    x, categories = rows(0, 20_000)
    numbers = {f"n{j}": number_grid(x[:, j]) for j in range(NUMBERS)}
    cells = np.stack([grid.cells(x[:, j]) for j, grid in enumerate(numbers.values())])
    tallies = np.stack([np.bincount(column, minlength=CELLS) for column in cells])
    grids = Grids(numbers, {"c": CategoryGrid(("a", "b", "c"), ())}, NumberGrid(0.0, 1.0), ranks(tallies))
    return Training(grids, counted(grids, x, categories))


def counted(grids: Grids, x: np.ndarray, categories: np.ndarray) -> Counts:
    cells = np.column_stack([grid.cells(x[:, j]) for j, grid in enumerate(grids.numbers.values())])
    scores = grids.prediction.cells(np.full(len(x), 0.25))
    return count(grids, Batch(cells, [categories], scores, [250_000] * len(x), [187_500] * len(x)))


def signals(training: Training, x: np.ndarray, categories: np.ndarray) -> dict[str, float]:
    values = training.signals(counted(training.grids, x, categories))
    return {signal.name: float(v) for signal, v in zip(training.names, values, strict=True)}


def test_the_training_rows_themselves_are_in_the_middle(training: Training) -> None:
    found = signals(training, *rows(0, 20_000))
    assert [found[f"location of n{j}"] for j in range(NUMBERS)] == pytest.approx([0.5] * NUMBERS)
    assert found["loss beyond expectation"] == pytest.approx(0.25 - 0.1875)
    assert found["correlation"] < 0  # closer than chance would have it


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("location of n2", lambda x: x.__setitem__((slice(None), 2), x[:, 2] + 0.3)),
        ("spread of n3", lambda x: x.__setitem__((slice(None), 3), x[:, 3] * 1.5)),
        ("correlation", lambda x: x.__setitem__((slice(None), 1), np.roll(x[:, 1], 1))),
    ],
)
def test_a_change_moves_the_signal_that_is_named_after_it(training: Training, name: str, change) -> None:
    x, categories = rows(1, 4000)
    before = signals(training, x, categories)
    change(x)
    after = signals(training, x, categories)
    assert after[name] > before[name] + 0.05
    others = set(after) - {name}
    assert all(after[other] == pytest.approx(before[other], abs=0.04) for other in others)


def test_other_categories_move_the_mix(training: Training) -> None:
    x, categories = rows(1, 4000)
    before = signals(training, x, categories)["mix of c"]
    assert signals(training, x, np.where(categories == 2, 0, categories))["mix of c"] > before + 0.3


def test_the_mean_distance_of_a_mix_from_itself_does_not_grow_as_windows_shrink() -> None:
    random, share = np.random.default_rng(0), np.array([0.5, 0.3, 0.15, 0.05])
    for size in (30, 300):
        squares = [
            np.copysign(d * d, d)
            for d in (mix_distance(share * 10_000, random.multinomial(size, share)) for _ in range(4000))
        ]
        assert abs(np.mean(squares)) < 0.2 / size


def test_a_column_that_is_missing_everywhere_says_nothing(training: Training) -> None:
    x, categories = rows(1, 100)
    x[:, 2] = np.nan
    found = signals(training, x, categories)
    assert np.isnan(found["location of n2"])
    assert np.isfinite(found["correlation"])
