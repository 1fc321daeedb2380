"""How large a difference is, for people: evidence says that something changed, these say how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts
from domain.drift.grid import ABOVE, BELOW, MISSING, Floats
from domain.drift.signals import Training
from domain.monitoring import Effect

DECILES = np.arange(1, 10) / 10
SMOOTHING = 0.5


def psi(reference: Sequence[int], counts: Sequence[int]) -> float:
    """Population stability index, sum of (q - p) ln(q / p) over the cells; 0 is no difference.

    Each cell gets half a row more, in both, so that an empty one neither divides by zero nor decides alone.

    >>> psi([50, 50], [50, 50])
    0.0
    >>> round(psi([50, 50], [100, 0]), 4)  # shares .5 and .5 against 100.5/101 and 0.5/101
    2.6254
    """
    p, q = _shares(reference), _shares(counts)
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + SMOOTHING * len(counts)
    return [(number + SMOOTHING) / total for number in counts]


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
            half = (edges[-2] - edges[1]) / 2  # what is outside and not far mostly lies near
            middles[BELOW], middles[ABOVE] = edges[1] - half, edges[-2] + half
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
