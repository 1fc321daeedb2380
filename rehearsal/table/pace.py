"""When each row happens in the rehearsal: as the table dates it, or spread evenly where that cannot be played."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from rehearsal.table.unusable import Unusable

MIN_ROWS = 500
HISTORY_SHARE = 0.6
MAX_PLAYED_ROWS = 60_000
MAX_ROWS = 250_000
MAX_ROWS_AN_HOUR = 3000
PLAYED_DAYS = (21, 90)
MIN_PLAYED_ROWS = 80
MIN_HISTORY_DAYS = 21
MIN_DAYS_WITH_ROWS_SHARE = 0.5
YEARS = (1990, 2037)
MIN_WINDOW_ROWS = 50
MIN_DAY_ROWS = 10
EVEN_DAYS = 60
EVEN_START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday; any would do."""


@dataclass(frozen=True)
class Pace:
    """Times in order, one a row, and where history ends and the play begins."""

    times: pd.Series
    first_played: int
    start: datetime
    end: datetime
    note: str

    @property
    def days(self) -> int:
        return (self.end - self.start).days


def pace(times: pd.Series) -> Pace:
    """Lay out rows that are in order of `times`."""
    if len(times) < MIN_ROWS:
        raise Unusable(
            f"the table has {len(times)} rows with a TARGET and a TIME, at least {MIN_ROWS} are needed: "
            f"{HISTORY_SHARE:.0%} train the first model, the rest is played"
        )
    dated = _as_dated(times)
    why = _unplayable(dated)
    return _evenly(len(times), why) if why else dated


def _as_dated(times: pd.Series) -> Pace:
    """History is the first 60% of the rows, or more: at most 90 days and 60,000 rows are played."""
    last_days = times.searchsorted(times.iloc[-1].normalize() - timedelta(days=PLAYED_DAYS[1] - 1))
    split = max(int(len(times) * HISTORY_SHARE), len(times) - MAX_PLAYED_ROWS, int(last_days))
    start = times.iloc[min(split, len(times) - 1)].ceil("D")
    first = int(times.searchsorted(start))
    end = times.iloc[-1].normalize() + timedelta(days=1)
    note = f"as dated: {first:,} rows are history, {len(times) - first:,} are played"
    return Pace(times, first, start.to_pydatetime(), end.to_pydatetime(), note)


def _unplayable(dated: Pace) -> str:
    """Why the table's own times cannot be lived through day by day; empty if they can."""
    times, played = dated.times, dated.times.iloc[dated.first_played :]
    if not YEARS[0] <= times.iloc[0].year <= times.iloc[-1].year <= YEARS[1]:
        return f"they reach from {times.iloc[0].year} to {times.iloc[-1].year}"
    if not PLAYED_DAYS[0] <= dated.days <= PLAYED_DAYS[1]:
        found, (least, most) = max(dated.days, 0), PLAYED_DAYS
        return f"the last {len(played):,} rows span {found} days, and {least} to {most} can be played"
    if (dated.start - times.iloc[0]).days < MIN_HISTORY_DAYS:
        return f"there are fewer than {MIN_HISTORY_DAYS} days before {dated.start:%Y-%m-%d}"
    if len(played) < MIN_PLAYED_ROWS:
        return f"the last {dated.days} days have only {len(played)} rows"
    with_rows = played.dt.normalize().nunique()
    if with_rows < MIN_DAYS_WITH_ROWS_SHARE * dated.days:
        return f"{with_rows} of the last {dated.days} days have rows"
    if (busiest := int(played.dt.floor("h").value_counts().max())) > MAX_ROWS_AN_HOUR:
        return f"one hour has {busiest:,} rows"
    return ""


def _evenly(rows: int, why: str) -> Pace:
    """Spread over time in their order, the last 40% over 60 days and those before at the same pace."""
    first = max(int(rows * HISTORY_SHARE), rows - MAX_PLAYED_ROWS)
    seconds = (np.arange(rows) - first) * (EVEN_DAYS * 86_400 / (rows - first))
    times = pd.Series(pd.Timestamp(EVEN_START) + pd.to_timedelta(np.floor(seconds), unit="s"))
    note = (
        f"in the order of the table's times but spread evenly, {(rows - first) / EVEN_DAYS:.1f} rows a day over "
        f"{EVEN_DAYS} days, because {why}: {first:,} rows are history, {rows - first:,} are played"
    )
    return Pace(times, first, EVEN_START, EVEN_START + timedelta(days=EVEN_DAYS), note)


def holdout_days(history: pd.Series) -> int:
    """The last days of history that judge the first model: up to 14, more where they would hold too few rows."""
    span = int((history.iloc[-1].normalize() - history.iloc[0].normalize()).days) + 1
    wanted = max(30, min(300, len(history) // 12))
    for days in range(min(14, max(5, span // 4)), max(6, span // 2)):
        if int((history >= history.iloc[-1].normalize() - timedelta(days=days - 1)).sum()) >= wanted:
            return days
    return max(5, span // 2)


def window(played_rows: int, days: int) -> tuple[int, int]:
    """Days of labels in the measured loss, and how many labelled rows a day must have to be judged."""
    rows_a_day = max(1, played_rows // days)
    window_days = min(max(14, MIN_WINDOW_ROWS // rows_a_day), days // 2)
    return window_days, max(MIN_DAY_ROWS, min(100, rows_a_day // 2))
