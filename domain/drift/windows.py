"""Hours of traffic -> windows: one closes when it has its time and enough rows; sparse hours merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts

HOURS_A_DAY, DAYS_A_WEEK = 24, 7
FIRST_WEEKDAY = 3
"""1 January 1970, hour 0 of our clock, was a Thursday; Monday is 0."""
EPOCH = date(1970, 1, 1).toordinal()
NO_CELLS = np.zeros((0, 0), np.int64)


@dataclass(frozen=True)
class Window:
    """Rows of some hours, the last included. Hours are counted since 1970, UTC."""

    first: int
    last: int
    counts: Counts
    hour_rows: NDArray[np.int64]
    """(24,): rows by hour of day."""
    weekday_rows: NDArray[np.int64]
    """(7,): rows by day of week."""


def windows(
    hours: Iterable[tuple[int, Counts]], *, window_hours: int = 1, min_rows: int = 1
) -> Iterator[Window]:
    """The closed windows of hours in ascending order; what is still open at the end is not among them.

    Windows of several hours begin at multiples of `window_hours`. Raises ValueError if hours are out of order.
    """
    open_: Window | None = None
    for hour, counts in hours:
        if open_ and hour <= open_.last:
            raise ValueError(f"got hour {hour} after {open_.last}, expected ascending hours, each once")
        if open_ and hour // window_hours > open_.last // window_hours and open_.counts.rows >= min_rows:
            yield open_
            open_ = None
        added = _of_hour(hour, counts)
        open_ = added if open_ is None else _joined(open_, added)
        if (hour + 1) % window_hours == 0 and open_.counts.rows >= min_rows:
            yield open_
            open_ = None


def last_hour(day: date) -> int:
    """In which a whole day is counted."""
    return HOURS_A_DAY * (day.toordinal() - EPOCH + 1) - 1


def day_window(day: date, rows: int) -> Window:
    """A day of which only its rows and its signals are known."""
    return _of_hour(last_hour(day), Counts(rows, NO_CELLS, (), NO_CELLS))


def _of_hour(hour: int, counts: Counts) -> Window:
    hour_rows, weekday_rows = np.zeros(HOURS_A_DAY, np.int64), np.zeros(DAYS_A_WEEK, np.int64)
    hour_rows[hour % HOURS_A_DAY] = counts.rows
    weekday_rows[(hour // HOURS_A_DAY + FIRST_WEEKDAY) % DAYS_A_WEEK] = counts.rows
    return Window(hour, hour, counts, hour_rows, weekday_rows)


def _joined(a: Window, b: Window) -> Window:
    return Window(
        a.first, b.last, a.counts + b.counts, a.hour_rows + b.hour_rows, a.weekday_rows + b.weekday_rows
    )
