"""Times in whatever notation to UTC; a time without a zone is taken as UTC."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import product

import numpy as np
import pandas as pd

from rehearsal.table.cells import present
from rehearsal.table.unusable import Unusable

DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d %Y"),
    *(
        "%b %d, %Y",
        "%B %d %Y",
        "%B %d, %Y",
        "%Y-%b-%d",
        "%Y%m%d",
        "%Y-%m",
        "%m/%Y",
        "%b %Y",
        "%B %Y",
        "%b-%y",
    ),
)
CLOCKS = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    " %H",
    "T%H:%M:%S",
    ":%H:%M:%S",
)
FORMATS = tuple(date + clock + zone for date, clock, zone in product(DATES, CLOCKS, ("", " %z", "%z")))
DIGITS_ONLY = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
EPOCH_SECONDS = (3e8, 4.2e9)
"""Seconds since 1970 of mid-1979 and of 2103: between them a number is taken for a time."""
UNITS_PER_SECOND = (1, 1e3, 1e6, 1e9)
SAMPLE = 100
WEEKDAY = re.compile(r"^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", re.IGNORECASE)
ZULU = re.compile(r" ?(UTC|GMT|Z)$", re.IGNORECASE)


def parse(column: pd.Series) -> pd.Series:
    """UTC times by the notation that reads most of the column; NaT where it does not fit."""
    there = present(column)
    text = column.where(there, "").str.replace(WEEKDAY, "", regex=True).str.replace(ZULU, "", regex=True)
    candidates = [_numeric(text), _iso(text), *(_format(text, one) for one in _likely_formats(text[there]))]
    # Of two notations that read as much, the one in which the rows are in order: 03/04 is a day and a month.
    return max(candidates, key=lambda times: (times.notna().sum(), _in_order(times)))


def required(column: pd.Series, name: str) -> pd.Series:
    """As parse, but every cell that holds something must be a time."""
    times = parse(column)
    there = present(column)
    if not there.any():
        raise Unusable(f"TIME {name!r} is empty in all {len(column)} rows; name a column that dates each row")
    bad = there & times.isna()
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        raise Unusable(
            f"TIME {name!r}: row {row + 1} is {column.iloc[row][:40]!r}, which is no time; allowed are ISO 8601 "
            "(2013-01-31T10:15:00Z), a date, or seconds since 1970, the same in every row"
        )
    return times


def _in_order(times: pd.Series) -> float:
    known = times.dropna()
    return float((known.diff().dropna() >= pd.Timedelta(0)).mean()) if len(known) > 1 else 0.0


def _numeric(text: pd.Series) -> pd.Series:
    values = pd.to_numeric(text, errors="coerce")
    lengths = set(text[values.notna()].str.len())
    if (
        len(lengths) == 1
        and (layout := DIGITS_ONLY.get(*lengths))
        and text[values.notna()].str.isdigit().all()
    ):
        dated = _format(text, layout)
        if (
            dated.notna().sum() == values.notna().sum()
            and dated.dt.year.between(1700, 2200)[dated.notna()].all()
        ):
            return dated
    for per_second in UNITS_PER_SECOND:
        seconds = values / per_second
        if values.notna().any() and seconds.dropna().between(*EPOCH_SECONDS).all():
            return pd.to_datetime((seconds * 1e3).round(), unit="ms", utc=True, errors="coerce")
    return _none(text)


def _none(text: pd.Series) -> pd.Series:
    return pd.Series(pd.NaT, index=text.index, dtype="datetime64[us, UTC]")


def _iso(text: pd.Series) -> pd.Series:
    """ISO 8601 of at least a month; a bare number is none here."""
    return pd.to_datetime(text.where(text.str.contains("-"), ""), utc=True, format="ISO8601", errors="coerce")


def _format(text: pd.Series, layout: str) -> pd.Series:
    return pd.to_datetime(text, utc=True, format=layout, errors="coerce")


def _likely_formats(text: pd.Series) -> list[str]:
    """The formats that read most of a sample: trying all on every row would take minutes."""
    if text.empty:
        return []
    sample = text.iloc[np.unique(np.linspace(0, len(text) - 1, SAMPLE).astype(int))]
    first = [str(one) for one in sample.iloc[:5]]
    possible = [layout for layout in FORMATS if any(_fits(one, layout) for one in first)]
    read = {layout: int(_format(sample, layout).notna().sum()) for layout in possible}
    best = max(read.values(), default=0)
    return [layout for layout, count in read.items() if count == best > 0]


def _fits(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)  # noqa: DTZ007 only whether it can be read
    except ValueError:
        return False
    return True
