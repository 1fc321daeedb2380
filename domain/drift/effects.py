"""How large a difference is, for people: evidence says that something changed, these say how much."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts
from domain.drift.grid import MISSING, Floats
from domain.drift.signals import Training
from domain.profile import psi

DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True)
class Effect:
    """Of one feature. `largest_gap` is the Kolmogorov-Smirnov distance of a number, the greatest change of a
    category's share; `wasserstein` is in standard deviations of training, None of a category."""

    feature: str
    psi: float
    largest_gap: float
    wasserstein: float | None


@dataclass(frozen=True)
class Yardstick:
    """The training rows' distributions, prepared once; arrays are (numbers, ...)."""

    training: Training

    @cached_property
    def cumulative(self) -> Floats:
        return cumulative(self.training.counts)

    @cached_property
    def cuts(self) -> NDArray[np.int64]:
        """(numbers, 9): the last cell of each decile but the last."""
        return np.stack([np.searchsorted(row, DECILES - 1e-12) for row in self.cumulative])

    @cached_property
    def widths(self) -> Floats:
        """(numbers, cells - 1): from one cell's middle to the next one's, in standard deviations."""
        found = []
        present = self.training.counts.numbers[:-1, :MISSING].astype(float)
        for grid, tally in zip(self.training.grids.numbers.values(), present, strict=True):
            edges = grid.edges
            middles = np.concatenate([[edges[0]], (edges[1:] + edges[:-1]) / 2, [edges[-1]]])
            rows = max(tally.sum(), 1)
            mean = tally @ middles / rows
            deviation = float(np.sqrt(tally @ (middles - mean) ** 2 / rows))
            found.append(np.diff(middles) / (deviation or 1.0))
        return np.stack(found)

    def deciles(self, of: Floats) -> Floats:
        """(numbers, 10): the shares between the cuts of a cumulative distribution."""
        at = np.take_along_axis(of, self.cuts, 1)
        ones = np.ones((len(at), 1))
        return np.diff(np.hstack([0 * ones, at, ones]), axis=1)

    def wasserstein(self, gaps: Floats) -> Floats:
        return np.asarray((gaps[:, :-1] * self.widths).sum(1))


def cumulative(counts: Counts) -> Floats:
    """(numbers, cells): the share of values up to each cell; the missing are left out."""
    present = counts.numbers[:-1, :MISSING].astype(float)
    return np.asarray(np.cumsum(present, 1) / np.maximum(present.sum(1, keepdims=True), 1))


def effects(yardstick: Yardstick, counts: Counts) -> tuple[Effect, ...]:
    """Every feature's, the greatest PSI first. PSI is over training's deciles, half a row added to each."""
    training, now = yardstick.training, cumulative(counts)
    gaps = np.abs(now - yardstick.cumulative)
    before, after = (
        np.rint(yardstick.deciles(c) * part.numbers[:-1, :MISSING].sum(1, keepdims=True)).astype(int)
        for c, part in ((yardstick.cumulative, training.counts), (now, counts))
    )
    found = [
        Effect(name, psi(p.tolist(), q.tolist()), float(gap), float(far))
        for name, p, q, gap, far in zip(
            training.grids.numbers, before, after, gaps.max(1), yardstick.wasserstein(gaps), strict=True
        )
    ]
    for name, p, q in zip(
        training.grids.categories, training.counts.categories, counts.categories, strict=True
    ):
        gap = np.abs(p / max(p.sum(), 1) - q / max(q.sum(), 1)).max()
        found.append(Effect(name, psi(p.tolist(), q.tolist()), float(gap), None))
    return tuple(sorted(found, key=lambda effect: (-effect.psi, effect.feature)))
