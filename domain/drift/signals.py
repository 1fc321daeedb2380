"""Counts of a window against the training rows: some numbers per feature, each near zero where nothing changed.

Location and spread are means of ranks: bounded, so that no outlier decides alone. The two distances are freed of
what chance adds and have their sign kept in a root, so that a small window is noisier than a large one, not farther.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts, Grids, mid_ranks
from domain.drift.grid import MISSING, Floats

RARE = 0.01
"""A category below this share weighs as if it had it: one row of a rare one is no news."""
FEATURE, CORRELATION, PREDICTION, LOSS = "feature", "correlation", "prediction", "loss"


@dataclass(frozen=True)
class Signal:
    """`feature` is what people know it by; only a `one_sided` one cannot mean anything by falling."""

    name: str
    feature: str
    group: str
    one_sided: bool = False


@dataclass(frozen=True)
class Training:
    """The counts of the training rows: what every window is compared with."""

    grids: Grids
    counts: Counts

    @cached_property
    def names(self) -> tuple[Signal, ...]:
        numbers = [Signal(f"{kind} of {n}", n, FEATURE) for kind in KINDS for n in self.grids.numbers]
        mixes = [Signal(f"mix of {n}", n, FEATURE, True) for n in self.grids.categories]
        answers = [Signal(f"{kind} of the prediction", PREDICTION, PREDICTION) for kind in KINDS]
        correlation = Signal("correlation", CORRELATION, CORRELATION, True)
        return (*numbers, *mixes, correlation, *answers, Signal("loss beyond expectation", LOSS, LOSS, True))

    @cached_property
    def _ranks(self) -> Floats:
        return mid_ranks(self.counts.numbers)[:, :MISSING]

    @cached_property
    def _correlation(self) -> Floats:
        return _correlation(self.grids, self.counts)

    def signals(self, counts: Counts) -> Floats:
        """One value a name; NaN where the window cannot say: nothing labelled, a column all missing."""
        present = counts.numbers[:, :MISSING].astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            rows = present.sum(1)
            location = (present * self._ranks).sum(1) / rows
            spread = (present * np.abs(self._ranks - 0.5)).sum(1) / rows
        mixes = [mix_distance(a, b) for a, b in zip(self.counts.categories, counts.categories, strict=True)]
        features = slice(0, len(rows) - 1)
        excess = counts.micro_loss - counts.micro_expected
        loss = excess / counts.labelled / 1e6 if counts.labelled else np.nan
        return np.array(
            [
                *location[features],
                *spread[features],
                *mixes,
                self._correlation_distance(counts),
                location[-1],
                spread[-1],
                loss,
            ]
        )

    def _correlation_distance(self, counts: Counts) -> float:
        before, now = self._correlation, _correlation(self.grids, counts)
        above = np.triu_indices(len(before), 1)
        squared = float(((now - before)[above] ** 2).sum())
        by_chance = float(((1 - before[above] ** 2) ** 2).sum()) / max(counts.rows, 1)
        return _signed_root(squared - by_chance)


KINDS = ("location", "spread")


def _signed_root(x: float) -> float:
    return float(np.sign(x) * np.sqrt(abs(x)))


def mix_distance(training: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """How far the mix of categories is from the training rows', less what chance adds, with the sign kept in a root.

    >>> round(mix_distance(np.array([500, 500]), np.array([50, 50])), 3)  # closer than chance: below zero
    -0.1
    >>> round(mix_distance(np.array([500, 500]), np.array([100, 0])), 3)
    0.995
    """
    rows = int(window.sum())
    if not rows:
        return float("nan")
    p, q = training / max(int(training.sum()), 1), window / rows
    weight = 1 / np.maximum(p, RARE)
    by_chance = float((p * (1 - p) * weight).sum()) / rows
    return _signed_root(float(((q - p) ** 2 * weight).sum()) - by_chance)


def _correlation(grids: Grids, counts: Counts) -> Floats:
    """(numbers, numbers): correlation of ranks; 0 where a column does not vary."""
    rows = max(counts.rows, 1)
    mean = (counts.numbers[:-1] * grids.ranks).sum(1) / rows
    covariance = counts.products / rows - np.outer(mean, mean)
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    product = np.outer(deviation, deviation)
    found: Floats = np.divide(covariance, product, out=np.zeros_like(product), where=product > 1e-6)
    return found
