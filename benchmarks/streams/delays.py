"""How long until a known change is seen: four weeks of reference, a week as before, then two weeks changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.streams.nulls import Start, late
from benchmarks.streams.runs import Seen, answers
from benchmarks.streams.worlds import HOURS_OF_TRAINING, SHIFTS, traffic
from domain.drift.counts import Counts
from domain.drift.detector import Detector
from domain.drift.invalid import faults
from domain.drift.windows import windows

BEFORE, AFTER = 7 * 24, 14 * 24


@dataclass(frozen=True)
class Delay:
    """Hours from the change to the end of the first window that alarms; None if none does in two weeks."""

    shift: str
    hours: int | None
    invalid_hours: int | None
    """The same for the first window whose data are broken."""


def delays(null: str, seed: int, rows_an_hour: int) -> list[Delay]:
    """Each change in SHIFTS, after the same weeks."""
    start = Start.of(null, seed, rows_an_hour)
    detector, width, reference = start.detector()
    week = list(traffic(start.world, start.grids, HOURS_OF_TRAINING, BEFORE))
    return [_delay(start, detector, width, reference, week, shift) for shift in SHIFTS]


def _delay(
    start: Start,
    detector: Detector,
    width: int,
    reference: list[Seen],
    week: list[tuple[int, Counts]],
    shift: str,
) -> Delay:
    change = HOURS_OF_TRAINING + BEFORE
    changed = list(traffic(start.world, start.grids, change, AFTER, shift))
    seen = late(start.seen([*week, *changed], width, distances=False), width, reference)
    alarmed = [s.window.last for s, a in zip(seen, answers(detector, seen), strict=True) if a.alarm]
    after = [last for last in alarmed if last >= change]
    broken = (
        w.last - change + 1
        for w in windows(changed, min_rows=start.min_rows)
        if faults(start.training, w.counts)
    )
    return Delay(
        shift,
        after[0] - change + 1 if after else None,
        next(broken, None),
    )


def median_hours(delays: list[Delay]) -> float:
    """Infinite where less than half were seen."""
    return float(np.median([np.inf if d.hours is None else d.hours for d in delays]))
