"""Simulated traffic for `make bench NAME=drift`: 30 numeric features, 5 categories, a model whose answer is known.

Row by row and hour by hour, so that the counting is measured with the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count, ranks
from domain.drift.grid import CELLS, NumberGrid, number_grid

F32 = NDArray[np.float32]
NUMBERS = 30
SIZES = (3, 5, 10, 20, 50)
USUAL = 1000
SEASONAL, LOADED, TOLD = slice(0, 10), slice(10, 30), slice(0, 10)
"""Features with a daily wave; with a common factor; that tell of the outcome."""
HOURS_OF_TRAINING = 28 * 24
LABELLED = 0.3
STRENGTH, PRIOR = 0.35, 0.2
NULLS = ("stationary", "seasonal", "overdispersed", "ar 0.8", "ar 0.9", "growing", "idle nights")
SHIFTS = ("mean", "correlation", "mix", "prior", "concept", "unit", "nulls", "unseen")


@dataclass
class World:
    """One world's traffic; `null` is how it moves although nothing changed."""

    null: str
    seed: int
    rows_an_hour: int = USUAL
    _state: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng([self.seed, NULLS.index(self.null)])
        self._phases = self.random.uniform(0, 2 * np.pi, 10)
        self._state = np.zeros(NUMBERS)
        shares = [1 / np.arange(1, size + 1) ** 1.1 for size in SIZES]
        self._shares = [share / share.sum() for share in shares]

    def _rows(self, hour: int) -> int:
        base = float(self.rows_an_hour)
        if self.null == "stationary":
            return max(20, int(self.random.poisson(base)))
        wave = 1 + 0.6 * np.sin(2 * np.pi * (hour % 24 - 9) / 24)
        if self.null == "growing":
            wave *= 1 + 2 * hour / 8766
        if self.null == "idle nights" and hour % 24 < 7:
            wave = 0.005
        return int(self.random.poisson(base * wave))

    def _offset(self) -> NDArray[np.float64]:
        """What moves all rows of an hour together, and is not drift: 1.6 times what chance does."""
        size = 0.05 * np.sqrt(USUAL / self.rows_an_hour)
        if self.null == "overdispersed":
            return np.asarray(size * self.random.standard_normal(NUMBERS))
        if self.null.startswith("ar "):
            rho = float(self.null[3:])
            noise = np.sqrt(1 - rho**2) * size * self.random.standard_normal(NUMBERS)
            self._state = rho * self._state + noise
            return self._state
        return np.zeros(NUMBERS)

    def hour(self, hour: int, shift: str = "") -> Rows:
        """The rows of one hour; after a `shift`, changed."""
        random, n = self.random, self._rows(hour)
        seasonal = self.null != "stationary"
        prior = PRIOR + 0.1 * (shift == "prior")
        if seasonal:
            prior += 0.04 * np.sin(2 * np.pi * (hour % 24) / 24 + 1)
        outcome = random.random(n, np.float32) < prior
        x = random.standard_normal((n, NUMBERS), np.float32)
        self._correlate(x, shift)
        x[:, TOLD] += STRENGTH * (outcome[:, None] - PRIOR)
        x += self._level(hour, seasonal).astype(np.float32)
        if shift == "mean":
            x[:, [5, 12, 22]] += 0.25
        if shift == "concept":
            outcome = random.random(n) < _sigmoid(_after(x))
        if shift == "unit":
            x[:, 7] *= 1000
        score = _sigmoid(_before(x))
        labelled = random.random(n) < LABELLED
        losses = np.rint(1e6 * (score[labelled] - outcome[labelled]) ** 2).astype(np.int64)
        expected = np.rint(1e6 * score[labelled] * (1 - score[labelled])).astype(np.int64)
        if shift == "nulls":
            x[random.random(n) < 0.05, 3] = np.nan
        return Rows(x, self._categories(n, hour, seasonal, shift), score, losses, expected)

    def _correlate(self, x: F32, shift: str) -> None:
        load = np.full(NUMBERS, 0.5, np.float32)
        load[TOLD] = 0
        if shift == "correlation":
            load[[11, 21]] = 0
        factor = self.random.standard_normal((len(x), 1), np.float32)
        x *= np.sqrt(1 - load**2)
        x += factor * load

    def _level(self, hour: int, seasonal: bool) -> NDArray[np.float64]:
        level = self._offset().copy()
        if seasonal:
            level[SEASONAL] += 0.3 * np.sin(2 * np.pi * (hour % 24) / 24 + self._phases)
            level[10:15] += 0.1 * ((hour // 24 + 3) % 7 >= 5)
        return level

    def _categories(self, n: int, hour: int, seasonal: bool, shift: str) -> list[NDArray[np.int64]]:
        found = []
        for j, share in enumerate(self._shares):
            p = share
            if seasonal and j < 2:
                p = p * np.exp(0.3 * np.sin(2 * np.pi * (hour % 24) / 24 + j + np.arange(len(p))))
            if shift == "mix" and j == 2:
                p = p + 0.1 * (np.eye(len(p))[4] - np.eye(len(p))[0])
            draws = np.searchsorted(np.cumsum(p / p.sum()), self.random.random(n))
            found.append(np.minimum(draws, len(p) - 1))
        if shift == "unseen":
            found[3][self.random.random(n) < 0.03] = SIZES[3] + 1  # the cell of what training never saw
        return found


@dataclass(frozen=True)
class Rows:
    """Rows of one hour: features as numbers, categories as cells, the model's answers, labelled losses."""

    numbers: F32
    categories: list[NDArray[np.int64]]
    scores: NDArray[np.float64]
    micro_losses: NDArray[np.int64]
    micro_expected: NDArray[np.int64]

    def observed(self) -> NDArray[np.float64]:
        """As a client sends them: five lognormal columns, five of counts, five with heavy tails."""
        x = self.numbers.astype(float)
        x[:, 10:15] = np.exp(0.7 * x[:, 10:15])
        x[:, 15:20] = np.floor(5 * np.exp(0.5 * x[:, 15:20]))
        x[:, 20:25] = np.sinh(x[:, 20:25])
        return x


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _before(x: F32) -> NDArray[np.float64]:
    """The exact log odds of the world before anything changed."""
    start = np.log(PRIOR / (1 - PRIOR)) - 0.5 * 10 * STRENGTH**2 * ((1 - PRIOR) ** 2 - PRIOR**2)
    return np.asarray(start + STRENGTH * x[:, TOLD].astype(float).sum(1))


def _after(x: F32) -> NDArray[np.float64]:
    """Log odds in which half of the features lost their meaning and the others have twice of it."""
    start = np.log(PRIOR / (1 - PRIOR)) - 5 * STRENGTH**2 * ((1 - PRIOR) ** 2 - PRIOR**2) - 0.1
    return np.asarray(start + 2 * STRENGTH * x[:, 5:10].astype(float).sum(1))


def grids(rows: Rows) -> Grids:
    """As training writes them, from its rows."""
    x = rows.observed()
    numbers = {f"n{j:02d}": number_grid(x[:, j]) for j in range(NUMBERS)}
    prediction = NumberGrid(0.0, 1.0)
    categories = {
        f"c{j}": CategoryGrid(tuple(f"v{v}" for v in range(size)), ()) for j, size in enumerate(SIZES)
    }
    cells = np.stack([grid.cells(x[:, j]) for j, grid in enumerate(numbers.values())])
    tallies = np.stack([np.bincount(column, minlength=CELLS) for column in cells])
    return Grids(numbers, categories, prediction, ranks(tallies))


def counted(grids: Grids, rows: Rows) -> Counts:
    columns = np.ascontiguousarray(rows.observed().T)
    pairs = zip(grids.numbers.values(), columns, strict=True)
    cells = np.column_stack([grid.cells(column) for grid, column in pairs])
    answers = grids.prediction.cells(rows.scores)
    return count(
        grids,
        Batch(cells, rows.categories, answers, rows.micro_losses.tolist(), rows.micro_expected.tolist()),
    )


def traffic(
    world: World, grids: Grids, first: int, hours: int, shift: str = ""
) -> Iterator[tuple[int, Counts]]:
    for hour in range(first, first + hours):
        rows = world.hour(hour, shift)
        if len(rows.scores):
            yield hour, counted(grids, rows)
