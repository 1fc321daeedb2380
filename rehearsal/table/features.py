"""Which columns a model may see, as numbers or as categories; each that is left out is left out for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rehearsal.table import cells, times
from rehearsal.table.unusable import Unusable

MAX_MISSING_SHARE = 0.5
MAX_CATEGORIES = 1000
MAX_CATEGORY_SHARE = 0.3
MAX_FEATURES = 120
MAX_FROM_THE_FUTURE_SHARE = 0.05
MIN_WEEKDAY_DAYS = 21
SECONDS_A_DAY = 86_400
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ONNX_NAMES = frozenset(("label", "probabilities", "variable"))
"""What the converter calls its own outputs; an input of that name would be renamed."""
DATE_LIKE = re.compile(
    r"\d{1,4}[-/. ](?:[A-Za-z]{3,9}|\d{1,2})(?:[-/. ]\d{1,4})?|[A-Za-z]{3,9} \d{1,2},? \d{4}"
)
ROW_NUMBER = re.compile(r"(^|[_ ])(id|uuid|guid|index|idx|instant|row|rownum|unnamed: ?\d*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A column as it was judged: `kind` is number, category, or empty where it is left out; `why` says so."""

    source: str
    name: str
    kind: str
    why: str
    values: pd.Series | None = None


def infer(
    table: pd.DataFrame, *, when: pd.Series, first_rows: int, target: str, decimal_comma: bool = False
) -> list[Column]:
    """Judge the columns of a table in the order of `when`, then add what the time itself says.

    `first_rows` is how many rows the first model is trained on.
    """
    taken = {"event_time", target, *ONNX_NAMES}
    judged: list[Column] = []
    for source in table.columns:
        column = _judge(source, table[source], when, first_rows, decimal_comma)
        name = _unused(_plain(source, len(judged) + 1), taken) if column.kind else ""
        judged.append(Column(source, name, column.kind, column.why, column.values))
    for column in _of_time(when):
        judged.append(
            Column(column.source, _unused(column.name, taken), column.kind, column.why, column.values)
        )
    kept = [column for column in judged if column.kind]
    if not kept:
        reasons = "; ".join(f"{column.source}: {column.why}" for column in judged[:5])
        raise Unusable(
            f"no column can be used as a feature ({reasons or 'there is no other column'}); add one"
        )
    beyond = {column.name for column in kept[MAX_FEATURES:]}
    return [
        Column(c.source, "", "", f"only the first {MAX_FEATURES} usable columns are taken")
        if c.name in beyond
        else c
        for c in judged
    ]


def plain_name(text: str) -> str:
    """A column's name as the model may carry it: letters, digits and underscores.

    >>> plain_name("Temp (°C)"), plain_name("_x"), plain_name("2nd"), plain_name("温度")
    ('Temp_C', 'x', 'c_2nd', '')
    """
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:40]
    return f"c_{name}" if name[:1].isdigit() else name


def _plain(source: str, position: int) -> str:
    return plain_name(source) or f"column_{position}"


def _unused(name: str, taken: set[str]) -> str:
    candidate, n = name, 2
    while candidate.lower() in {one.lower() for one in taken}:
        candidate, n = f"{name}_{n}", n + 1
    taken.add(candidate)
    return candidate


def _judge(source: str, column: pd.Series, when: pd.Series, first_rows: int, decimal_comma: bool) -> Column:
    there = cells.present(column)
    missing = float((~there).expanding().mean().iloc[first_rows - 1 :].max())
    if missing > MAX_MISSING_SHARE:
        return Column(source, "", "", f"missing in {missing:.0%} of the rows")
    if column[there].nunique() == 1 and there.all():
        return Column(source, "", "", f"{column.iloc[0][:40]!r} in every row")
    if (truths := cells.truths(column)) is not None:
        return _number(source, truths, "yes or no")
    if (numbers := cells.numbers(column, decimal_comma=decimal_comma)) is not None:
        if _is_row_number(source, numbers):
            return Column(source, "", "", "a row number or an id: different in every row")
        return _number(source, numbers, "number")
    if (
        _looks_like_dates(column[there])
        and (dates := times.parse(column)).notna().sum() >= 0.98 * there.sum()
    ):
        return _date(source, dates, when)
    return _category(source, column)


def _number(source: str, values: cells.Numbers, why: str) -> Column:
    if np.nanmin(values) == np.nanmax(values) and np.isfinite(values).all():
        return Column(source, "", "", "the same in every row")
    text = pd.Series([cells.number_text(value) for value in values])
    return Column(source, "", "number", why, text)


def _is_row_number(source: str, values: cells.Numbers) -> bool:
    whole = np.isfinite(values).all() and (values == np.round(values)).all()
    if not whole or len(np.unique(values)) < len(values):
        return False
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all() or ROW_NUMBER.search(source))


def _looks_like_dates(column: pd.Series) -> bool:
    return bool(column.iloc[:50].str.contains(DATE_LIKE).mean() > 0.9)


def _date(source: str, dates: pd.Series, when: pd.Series) -> Column:
    """Days from the date to the row's own time: a date by itself lies outside all that was trained on."""
    days = (when - dates).dt.total_seconds().to_numpy(np.float64) / SECONDS_A_DAY
    if float((days < 0).mean()) > MAX_FROM_THE_FUTURE_SHARE:
        return Column(source, "", "", "a date after the row's own time, which nobody knows when asked")
    return _number(source, days, "date, as days before the row's time")


def _category(source: str, column: pd.Series) -> Column:
    text = cells.category_text(column)
    distinct = text[text != ""].nunique()
    if distinct > min(MAX_CATEGORIES, MAX_CATEGORY_SHARE * len(column)):
        return Column(source, "", "", f"text with {distinct:,} different values in {len(column):,} rows")
    if distinct < 2 and (text != "").all():
        return Column(source, "", "", "the same in every row")
    return Column(source, "", "category", f"{distinct:,} categories", text)


def _of_time(when: pd.Series) -> Iterator[Column]:
    """Hour and weekday of the row's time, where the table says anything about them."""
    if when.dt.hour.nunique() > 1:
        hours = when.dt.hour.astype(str).reset_index(drop=True)
        yield Column("(time)", "hour_of_day", "number", "the hour of the row's time, UTC", hours)
    if when.dt.weekday.nunique() > 1 and when.max() - when.min() >= pd.Timedelta(days=MIN_WEEKDAY_DAYS):
        days = when.dt.weekday.map(dict(enumerate(WEEKDAYS))).reset_index(drop=True)
        yield Column("(time)", "weekday_of_time", "category", "the weekday of the row's time, UTC", days)
