"""Broken data, seen in one window: cells that cannot be used. It is told at once and never a reason to retrain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.drift.counts import Counts
from domain.drift.grid import FAR_ABOVE, FAR_BELOW, MISSING, UNREADABLE
from domain.drift.signals import Training

ALLOWED = 0.01
"""Of the rows, above the share that is usual: less than this is nobody's alarm."""
TIMES = 5.0
"""The odds of the worst day before, so many times: gaps come in storms, and the next storm may be a worse one."""
SIGMAS = 3
MISSING_KIND, UNSEEN = "missing", "unseen"
KINDS = {MISSING_KIND: (MISSING,), "unreadable": (UNREADABLE,), "far out of range": (FAR_BELOW, FAR_ABOVE)}
"""Of numbers, by cell; of categories it is what training never saw, and what is missing."""
Usual = Mapping[tuple[str, str], float]
"""By feature and kind: the share of rows that is unusable on the worst day that is known to be sound."""
LINES = "captured lines"


@dataclass(frozen=True)
class Fault:
    """One kind of unusable cells in one feature, as shares of rows."""

    feature: str
    kind: str
    share: float
    usual: float

    @property
    def is_broken(self) -> bool:
        """A category that training never saw may be a new one, and then a new model is the cure; the rest is not."""
        return self.kind != UNSEEN

    def __str__(self) -> str:
        return f"{self.feature}: {self.share:.1%} {self.kind}, at most {self.usual:.1%} before"


def unusable(training: Training, counts: Counts) -> dict[tuple[str, str], int]:
    """By feature and kind, how many cells cannot be used."""
    found = {
        (name, kind): int(counts.numbers[j, list(cells)].sum())
        for j, name in enumerate(training.grids.numbers)
        for kind, cells in KINDS.items()
    }
    for (name, grid), tally in zip(training.grids.categories.items(), counts.categories, strict=True):
        found[name, UNSEEN] = int(tally[grid.unseen])
        found[name, MISSING_KIND] = int(tally[grid.missing])
    return found


def usual_shares(training: Training, days: Sequence[Counts] = ()) -> dict[tuple[str, str], float]:
    """The share of the training rows, or that of the worst of these days. A day of few rows is not asked."""
    shares = {key: 0.0 for key in unusable(training, training.counts)}
    for counts in (training.counts, *(days[i] for i in telling([day.rows for day in days]))):
        for key, cells in unusable(training, counts).items():
            shares[key] = max(shares[key], cells / max(counts.rows, 1))
    return shares


def telling(rows: Sequence[int]) -> list[int]:
    """Which days have at least half the rows of the median one.

    >>> telling([100, 49, 0, 100])
    [0, 3]
    """
    median = sorted(rows)[len(rows) // 2] if rows else 0
    return [i for i, number in enumerate(rows) if number and 2 * number >= median]


def faults(training: Training, counts: Counts, usual: Usual | None = None) -> tuple[Fault, ...]:
    """What is broken in a window, the greatest share first; `usual` is `usual_shares` unless it is given."""
    rows, usual = counts.rows, usual_shares(training) if usual is None else usual
    broken = [
        Fault(name, kind, cells / rows, usual.get((name, kind), 0.0))
        for (name, kind), cells in unusable(training, counts).items()
        if too_many(cells, rows, usual.get((name, kind), 0.0))
    ]
    return tuple(sorted(broken, key=lambda fault: (fault.usual - fault.share, fault.feature, fault.kind)))


def unread_lines(skipped: int, read: int) -> tuple[Fault, ...]:
    """Lines of capture that are no request with its answer."""
    lines = skipped + read
    broken = too_many(skipped, lines, 0.0)
    return (Fault(LINES, "unreadable", skipped / lines, 0.0),) if broken else ()


def too_many(cells: int, rows: int, usual: float) -> bool:
    """More than a hundredth, and than five times the usual odds, by three deviations of chance.

    >>> [too_many(n, 1000, 0.0) for n in (19, 20)], [too_many(n, 1000, 0.5) for n in (919, 920)]
    ([False, True], [False, True])
    >>> too_many(1, 10, 0.0), too_many(0, 0, 0.0)
    (False, False)
    """
    expected = rows * max(usual + ALLOWED, TIMES * usual / (1 + (TIMES - 1) * usual))
    return cells > expected + SIGMAS * math.sqrt(expected)
