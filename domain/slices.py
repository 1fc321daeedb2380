"""Is the challenger worse for some of the rows, though not for all of them together? A floor for each slice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from domain.gate import MIN_DAYS, DayLoss, difference_and_deviation

LEVEL = 0.05
"""The chance that any slice of a challenger that is worse nowhere is refused, shared out among the slices."""
MIN_ROWS = 100


@dataclass(frozen=True)
class SliceVerdict:
    """One slice: its loss against the reference's, and how much worse it is at the least."""

    column: str
    value: str
    rows: int
    relative_difference: float | None
    lower_bound: float | None
    """None where there are too few rows or days to say."""
    passed: bool
    reason: str


def judge_slices(slices: Mapping[tuple[str, str], Sequence[DayLoss]], *, margin: float) -> list[SliceVerdict]:
    """Refuse a slice only if it is surely worse than the champion, or the base rate, by more than the margin.

    A slice has few rows, so the burden is the other way round than for the whole: no proof of harm, no refusal.
    """
    level = LEVEL / max(1, len(slices))
    return [_judge(column, value, days, margin, level) for (column, value), days in slices.items()]


def _judge(column: str, value: str, days: Sequence[DayLoss], margin: float, level: float) -> SliceVerdict:
    rows = sum(day.rows for day in days)
    pairs = [(day.challenger, day.base_rate if day.champion is None else day.champion) for day in days]
    challenger, reference = (sum(losses) for losses in zip(*pairs, strict=True))
    if rows < MIN_ROWS or len(days) < MIN_DAYS or reference == 0:
        reason = f"{rows} rows of {len(days)} days are too few to say; {MIN_ROWS} of {MIN_DAYS} are needed"
        return SliceVerdict(column, value, rows, None, None, True, reason)
    lower = _lower_bound(pairs, level)
    difference = challenger / reference - 1
    reason = (
        f"{column} {value!r}: loss {challenger / rows:.6f} on {rows} rows ({difference:+.2%}), "
        f"surely {lower:+.2%} or more; allowed is {margin:+.2%}"
    )
    return SliceVerdict(column, value, rows, difference, lower, lower <= margin, reason)


def _lower_bound(pairs: Sequence[tuple[float, float]], level: float) -> float:
    """Of the relative difference, at the level: the ratio of two sums over days, linearised, and Student's t.

    Days drawn with replacement would refuse too often: a fortnight has no tail at the level of one of many slices.
    """
    difference, deviation = difference_and_deviation(pairs)
    return difference - student_t(1 - level, len(pairs) - 1) * deviation


def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t, expanded around the normal one; good to 1% from 6 degrees of freedom on, 4% from 4.

    >>> round(student_t(0.975, 13), 3), round(student_t(0.9975, 13), 2)
    (2.16, 3.37)
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))
