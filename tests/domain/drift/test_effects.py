"""Distances from counts against the same distances from the rows themselves."""

import numpy as np
import pytest

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count, ranks
from domain.drift.effects import Yardstick, effects
from domain.drift.grid import CELLS, NumberGrid, number_grid
from domain.drift.signals import Training


def counted(grids: Grids, x: np.ndarray, categories: np.ndarray) -> Counts:
    answers = grids.prediction.cells(np.full(len(x), 0.5))
    return count(grids, Batch(grids.numbers["x"].cells(x)[:, None], [categories], answers))


def test_they_are_those_of_the_rows_and_the_greatest_comes_first() -> None:
    random = np.random.default_rng(0)
    before, after = random.normal(size=20_000), random.normal(0.3, 1.2, 5000)
    grid = number_grid(before)
    tally = np.bincount(grid.cells(before), minlength=CELLS)[None, :]
    grids = Grids({"x": grid}, {"c": CategoryGrid(("a", "b"), ())}, NumberGrid(0.0, 1.0), ranks(tally))
    even = np.arange(20_000) % 2
    yardstick = Yardstick(Training(grids, counted(grids, before, even)))
    x, c = effects(yardstick, counted(grids, after, even[:5000]))
    assert (x.feature, c.feature) == ("x", "c")
    every = np.sort(np.concatenate([before, after]))
    ours, theirs = (
        np.searchsorted(np.sort(rows), every, side="right") / len(rows) for rows in (before, after)
    )
    assert x.largest_gap == pytest.approx(np.abs(ours - theirs).max(), abs=0.005)
    by_hand = (np.abs(ours - theirs)[:-1] * np.diff(every)).sum() / before.std()
    assert x.wasserstein == pytest.approx(by_hand, abs=0.02)
    assert c.psi == pytest.approx(0, abs=1e-3)
    assert c.wasserstein is None


def test_rows_have_no_distance_from_themselves() -> None:
    x, categories = np.random.default_rng(0).normal(size=500), np.zeros(500, int)
    grid = number_grid(x)
    grids = Grids(
        {"x": grid}, {"c": CategoryGrid(("a",), ())}, NumberGrid(0.0, 1.0), np.zeros((1, CELLS), int)
    )
    counts = counted(grids, x, categories)
    found = effects(Yardstick(Training(grids, counts)), counts)
    assert [(one.psi, one.largest_gap, one.wasserstein) for one in found] == [
        (0.0, 0.0, None),
        (0.0, 0.0, 0.0),
    ]
