"""Labels that cannot be: told apart from a world that changed, so that nothing is trained on a broken feed.

What is held against the days of training is the mean size of a day's labels: of zeros and ones the share of ones, of
classes the mean place among them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

TIMES = 10.0
"""Odds of a one or of the last class, or a mean size, so many times beyond those of every day of training cannot be."""
BY_CHANCE = 1e-6
UNUSABLE_SHARE = 0.01
SIGMAS = 3


@dataclass(frozen=True, order=True)
class LabelDay:
    """The labels of the requests of one UTC day: those that were joined, those that are none, and their summed size."""

    day: str
    rows: int
    unusable: int
    micro_size: int
    """The sum of |label| over `rows` in whole millionths."""

    def to_list(self) -> list[Any]:
        return [self.day, self.rows, self.unusable, self.micro_size]

    @property
    def mean_size(self) -> float:
        return self.micro_size / self.rows / 1e6


def label_days(parts: Iterable[LabelDay]) -> tuple[LabelDay, ...]:
    """One entry a day, in the order of the days.

    >>> label_days([LabelDay("2013-03-01", 1, 0, 5), LabelDay("2013-03-01", 2, 1, 6)])
    (LabelDay(day='2013-03-01', rows=3, unusable=1, micro_size=11),)
    """
    sums: dict[str, list[int]] = {}
    for part in parts:
        found = sums.setdefault(part.day, [0, 0, 0])
        for i, number in enumerate((part.rows, part.unusable, part.micro_size)):
            found[i] += number
    return tuple(LabelDay(day, *sums[day]) for day in sorted(sums))


@dataclass(frozen=True)
class UsualLabels:
    """The least and the greatest mean size of a day of labels that a model was made with."""

    task: str
    least: float
    greatest: float
    rows: int = 1
    """The fewest rows of such a day: fewer numbers say nothing of their mean."""
    last: int = 1
    """The largest that a label can be: the place of the last class. Nothing bounds one of a regression."""

    @classmethod
    def of(cls, task: str, days: Sequence[LabelDay], *, classes: int = 0) -> UsualLabels:
        """Of the days that a model was made with; those with less than half of the median day's rows are left out."""
        rows = sorted(day.rows for day in days)
        known = [day for day in days if day.rows and 2 * day.rows >= rows[len(rows) // 2]]
        sizes = [day.mean_size for day in known]
        return cls(task, min(sizes), max(sizes), min(day.rows for day in known), max(classes - 1, 1))


def wrong_labels(usual: UsualLabels, day: LabelDay) -> tuple[str, ...]:
    """Why a day's labels cannot be, in words; empty if they can.

    >>> usual = UsualLabels("binary", 0.05, 0.5)
    >>> wrong_labels(usual, LabelDay("2013-03-15", 140, 0, 140_000_000))
    ('labels of 2013-03-15: 100.0% are 1, on the days of training 5.0% to 50.0%',)
    >>> wrong_labels(usual, LabelDay("2013-03-15", 140, 0, 70_000_000))
    ()
    """
    found = []
    labels = day.rows + day.unusable
    expected = labels * UNUSABLE_SHARE
    if day.unusable > expected + SIGMAS * math.sqrt(expected):
        found.append(f"labels of {day.day}: {day.unusable / labels:.1%} are none of this task")
    if day.rows and _cannot_be(usual, day):
        found.append(_sizes(usual, day))
    return tuple(found)


def _cannot_be(usual: UsualLabels, day: LabelDay) -> bool:
    if usual.task == "regression":
        sane = usual.least / TIMES <= day.mean_size <= usual.greatest * TIMES
        return day.rows >= usual.rows and not sane
    share, least, greatest = (size / usual.last for size in (day.mean_size, usual.least, usual.greatest))
    far = _odds(share) > TIMES * _odds(greatest) or TIMES * _odds(share) < _odds(least)
    nearest = min(max(share, least), greatest)
    return far and day.rows * _surprise(share, nearest) > -math.log(BY_CHANCE)


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def _surprise(share: float, usual: float) -> float:
    """Of a row; the logarithm of a chance to see such a share is at most minus this times the rows (Chernoff).

    That holds for the mean of whatever lies between 0 and 1, and so for places among classes (Hoeffding).
    """
    pairs = ((share, usual), (1 - share, 1 - usual))
    return sum(p * (math.log(p / q) if q else math.inf) for p, q in pairs if p)


def _sizes(usual: UsualLabels, day: LabelDay) -> str:
    if usual.task == "binary":
        return (
            f"labels of {day.day}: {day.mean_size:.1%} are 1, "
            f"on the days of training {usual.least:.1%} to {usual.greatest:.1%}"
        )
    what = "mean place among the classes" if usual.task == "multiclass" else "mean size"
    return (
        f"labels of {day.day}: their {what} is {day.mean_size:.4g}, "
        f"on the days of training {usual.least:.4g} to {usual.greatest:.4g}"
    )
