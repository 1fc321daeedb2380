"""May the challenger replace the champion? Margin, confidence and resampling are fixed beforehand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

CONFIDENCE = 0.95
MIN_DAYS = 5


@dataclass(frozen=True)
class DayLoss:
    """Losses summed over one day's held-out rows; `champion` is None where there is none to compare with."""

    day: str
    rows: int
    challenger: float
    champion: float | None
    base_rate: float


@dataclass(frozen=True)
class Objection:
    """Why a model that is good enough as a whole is refused all the same."""

    rule: str
    reason: str


@dataclass(frozen=True)
class GateVerdict:
    """Losses are means over all rows. `upper_bound` is of the relative difference to the champion."""

    passed: bool
    rule: str
    reason: str
    challenger_loss: float
    champion_loss: float | None
    relative_difference: float
    upper_bound: float | None
    objections: tuple[Objection, ...] = ()


def with_objections(verdict: GateVerdict, objections: Sequence[Objection]) -> GateVerdict:
    """The verdict, refused by the first objection if there is one; all of their reasons are kept."""
    if not objections:
        return verdict
    reasons = "; ".join(one.reason for one in objections)
    rule = objections[0].rule if verdict.passed else verdict.rule
    reason = f"{verdict.reason}; but {reasons}"
    return replace(verdict, passed=False, rule=rule, reason=reason, objections=tuple(objections))


def decide_gate(days: Sequence[DayLoss], *, margin: float, resamples: int, seed: int = 0) -> GateVerdict:
    """Non-inferior to the champion, or, where there is none, better than the base rate. The same answers are no gain.

    Rows of one day share their weather and their news, so days are drawn, not rows.

    >>> days = [DayLoss(f"2013-02-{d}", 100, 10.0, 12.0, 15.0) for d in range(10, 24)]
    >>> verdict = decide_gate(days, margin=0.02, resamples=200)
    >>> verdict.passed, verdict.rule, round(verdict.upper_bound, 4)
    (True, 'non-inferior', -0.1667)
    """
    if not days or min(day.rows for day in days) < 1:
        raise ValueError("the gate got a day without rows, it needs at least one row on each day")
    if margin < 0 or resamples < 1:
        raise ValueError(f"got margin {margin} and {resamples} resamples, allowed are from 0 and from 1")
    if odd := [day.day for day in days if not _is_finite(day)]:
        raise ValueError(
            f"the gate got a loss that is no finite number on {', '.join(odd)}, it needs one each day"
        )
    if any(day.champion is None for day in days):
        return _against_base_rate(days)
    return _against_champion(days, margin, resamples, seed)


def _is_finite(day: DayLoss) -> bool:
    losses = (day.challenger, day.base_rate, 0.0 if day.champion is None else day.champion)
    return all(math.isfinite(loss) for loss in losses)


def _against_base_rate(days: Sequence[DayLoss]) -> GateVerdict:
    rows = sum(day.rows for day in days)
    challenger = sum(day.challenger for day in days) / rows
    base_rate = sum(day.base_rate for day in days) / rows
    passed = challenger < base_rate
    reason = (
        f"no champion to compare with: loss {challenger:.6f} is "
        f"{'below' if passed else 'not below'} the base rate's {base_rate:.6f}"
    )
    difference = _relative(challenger, base_rate)
    return GateVerdict(passed, "beats-base-rate", reason, challenger, None, difference, None)


def _against_champion(days: Sequence[DayLoss], margin: float, resamples: int, seed: int) -> GateVerdict:
    rows = sum(day.rows for day in days)
    pairs = [(day.challenger, day.champion or 0.0) for day in days]
    challenger, champion = (sum(losses) / rows for losses in zip(*pairs, strict=True))
    difference = _relative(challenger, champion)
    upper = _upper_bound(pairs, resamples, seed)
    enough = len(days) >= MIN_DAYS
    passed = enough and upper <= margin
    if all(mine == theirs for mine, theirs in pairs):
        reason = (
            f"loss {challenger:.6f} is the champion's on each of {len(days)} days: a tie keeps the champion"
        )
        return GateVerdict(False, "tie", reason, challenger, champion, difference, upper)
    if not enough:
        reason = f"got {len(days)} held-out days, {MIN_DAYS} are needed to tell how sure the difference is"
    else:
        reason = (
            f"loss {challenger:.6f} against the champion's {champion:.6f} ({difference:+.2%}); at "
            f"{CONFIDENCE:.0%} confidence at most {upper:+.2%}, allowed is {margin:+.2%}"
        )
    return GateVerdict(passed, "non-inferior", reason, challenger, champion, difference, upper)


def _upper_bound(pairs: Sequence[tuple[float, float]], resamples: int, seed: int) -> float:
    """The 95% bound of the relative difference over days drawn with replacement, studentised.

    Each draw's distance is told in its own deviations: a plain percentile of so few days lets 7 to 10% through, not 5%.
    """
    difference, deviation = difference_and_deviation(pairs)
    if not deviation:
        return difference
    draw = random.Random(seed)  # noqa: S311 - statistics, and to be the same each time
    distances = []
    for _ in range(resamples):
        drawn, spread = difference_and_deviation(draw.choices(pairs, k=len(pairs)))
        if spread:
            distances.append((drawn - difference) / spread)
    if not distances:
        return difference
    lowest = sorted(distances)[math.ceil((1 - CONFIDENCE) * len(distances)) - 1]
    return difference - lowest * deviation


def difference_and_deviation(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The relative difference of two sums over days and its deviation; 0 where the reference has no loss."""
    days, reference = len(pairs), sum(theirs for _, theirs in pairs)
    loss = sum(mine for mine, _ in pairs)
    if not reference or days < 2:
        return _relative(loss, reference), 0.0
    ratio = loss / reference
    squares = sum((mine - ratio * theirs) ** 2 for mine, theirs in pairs)
    return ratio - 1, math.sqrt(squares * days / (days - 1)) / reference


def _relative(loss: float, reference: float) -> float:
    """By what share the loss is above the reference; any loss at all is 100% above none."""
    if reference == 0:
        return 0.0 if loss == 0 else 1.0
    return loss / reference - 1
