"""What a table must be before a model is fitted to it; each verdict says found and allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from training import tables
from training.schema import Schema, is_number, number

MIN_ROWS = 300
MAX_MISSING_SHARE = 0.5


@dataclass(frozen=True)
class Verdict:
    check: str
    passed: bool
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.check}: got {self.found}, allowed: {self.allowed}"


def check(table: pd.DataFrame, schema: Schema, holdout_days: int) -> list[Verdict]:
    """All verdicts that can be reached; without the columns there is nothing more to ask."""
    columns = columns_present(table, schema)
    if not columns.passed:
        return [columns]
    return [
        columns,
        enough_rows(table),
        times_parse(table, schema),
        enough_days(table, schema, holdout_days),
        *(numbers_parse(table, feature.name) for feature in schema.features if feature.kind == "number"),
        *(not_mostly_missing(table, name) for name in schema.names),
        targets_usable(table, schema),
    ]


def columns_present(table: pd.DataFrame, schema: Schema) -> Verdict:
    missing = [name for name in schema.columns if name not in table.columns]
    found = f"no {', '.join(missing)} among {', '.join(table.columns)}" if missing else "all"
    return Verdict("columns", not missing, found, ", ".join(schema.columns))


def enough_rows(table: pd.DataFrame) -> Verdict:
    return Verdict("rows", len(table) >= MIN_ROWS, str(len(table)), f"at least {MIN_ROWS}")


def times_parse(table: pd.DataFrame, schema: Schema) -> Verdict:
    bad = table[schema.time][tables.times(table, schema).isna()]
    return Verdict(
        f"times of {schema.time}", bad.empty, _shown(list(bad)), "ISO 8601, as in 2013-01-31T10:15:00Z"
    )


def enough_days(table: pd.DataFrame, schema: Schema, holdout_days: int) -> Verdict:
    times = tables.times(table, schema).dropna()
    days = (times.max().normalize() - times.min().normalize()).days + 1 if len(times) else 0
    return Verdict("days", days > holdout_days, str(days), f"more than the {holdout_days} that are held out")


def numbers_parse(table: pd.DataFrame, name: str) -> Verdict:
    bad = _all_that(table[name], lambda cell: not is_number(cell))
    return Verdict(f"numbers of {name}", not bad, _shown(bad), "a finite number, or empty if missing")


def not_mostly_missing(table: pd.DataFrame, name: str) -> Verdict:
    share = len(_all_that(table[name], lambda cell: not cell.strip())) / max(1, len(table))
    return Verdict(
        f"missing {name}", share <= MAX_MISSING_SHARE, f"{share:.1%}", f"at most {MAX_MISSING_SHARE:.0%}"
    )


def targets_usable(table: pd.DataFrame, schema: Schema) -> Verdict:
    """Two classes written 0 and 1, or numbers; no target is missing."""
    cells = table[schema.target]
    name = f"target {schema.target}"
    if schema.task == "regression":
        bad = _all_that(cells, lambda cell: not cell.strip() or not is_number(cell))
        return Verdict(name, not bad, _shown(bad), "a finite number on every row")
    classes = sorted(set(cells))
    wanted = {number(cell) if is_number(cell) else cell for cell in classes} == {0.0, 1.0}
    found = ", ".join(repr(cell) for cell in classes[:5]) + (" and more" if len(classes) > 5 else "")
    return Verdict(name, wanted, found, "0 and 1, both present")


def _all_that(cells: pd.Series, holds: Callable[[str], bool]) -> list[str]:
    """The cells of which it holds, in their order."""
    return list(cells[tables.by_value(cells, holds).astype(bool)])


def _shown(bad: list[str]) -> str:
    return f"{len(bad)} that are not, the first {bad[0]!r}" if bad else "all fit"
