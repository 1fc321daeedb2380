"""Broken data, seen in one window: cells that cannot be used. It is told at once and never a reason to retrain."""

from __future__ import annotations

import math
from dataclasses import dataclass

from domain.drift.counts import Counts
from domain.drift.grid import FAR_ABOVE, FAR_BELOW, MISSING, UNREADABLE
from domain.drift.signals import Training

ALLOWED = 0.01
"""Of the rows, above the share in training: less than this is nobody's alarm."""
SIGMAS = 3
KINDS = {"missing": (MISSING,), "unreadable": (UNREADABLE,), "far out of range": (FAR_BELOW, FAR_ABOVE)}
"""Of numbers, by cell; of categories it is what training never saw, and what is missing."""


@dataclass(frozen=True)
class Fault:
    """One kind of unusable cells in one feature, as shares of rows."""

    feature: str
    kind: str
    share: float
    usual: float


def faults(training: Training, counts: Counts) -> tuple[Fault, ...]:
    """What is broken in a window, the greatest share first."""
    found = []
    for j, name in enumerate(training.grids.numbers):
        for kind, cells in KINDS.items():
            before, now = (int(tally.numbers[j, list(cells)].sum()) for tally in (training.counts, counts))
            found.append((name, kind, before, now))
    for (name, grid), before_of, now_of in zip(
        training.grids.categories.items(), training.counts.categories, counts.categories, strict=True
    ):
        unseen = len(grid.values) + 1
        for kind, cell in (("unseen", unseen), ("missing", unseen + 1)):
            found.append((name, kind, int(before_of[cell]), int(now_of[cell])))
    usual_rows, rows = max(training.counts.rows, 1), counts.rows
    broken = [
        Fault(name, kind, now / rows, before / usual_rows)
        for name, kind, before, now in found
        if too_many(now, rows, before / usual_rows)
    ]
    return tuple(sorted(broken, key=lambda fault: (-(fault.share - fault.usual), fault.feature, fault.kind)))


def too_many(cells: int, rows: int, usual: float) -> bool:
    """More than the usual share and a hundredth, by three deviations of chance.

    >>> [too_many(n, 1000, 0.0) for n in (19, 20)]
    [False, True]
    >>> too_many(1, 10, 0.0)
    False
    """
    expected = rows * (usual + ALLOWED)
    return cells > expected + SIGMAS * math.sqrt(expected)
