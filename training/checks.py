"""What a table must be before a model is fitted to it; each verdict says found and allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from domain.job_settings import CheckLimits
from training import tables
from training.schema import Schema, is_number, number
from training.suspects import skills

Ranges = Mapping[str, tuple[float, float]]
CLOCKS_DIFFER = timedelta(days=1)
"""Times that were written without their zone are ahead by hours; more than this is a wrong date."""


@dataclass(frozen=True)
class Verdict:
    check: str
    passed: bool
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.check}: got {self.found}, allowed: {self.allowed}"


def check(
    table: pd.DataFrame, schema: Schema, holdout_days: int, limits: CheckLimits, ranges: Ranges, created: str
) -> list[Verdict]:
    """All verdicts that can be reached; without the columns there is nothing more to ask.

    `created` is when the snapshot was made, ISO 8601; empty if that is not known.
    """
    columns = columns_present(table, schema)
    if not columns.passed:
        return [columns]
    found = [
        columns,
        enough_rows(table, limits),
        times_parse(table, schema),
        enough_days(table, schema, holdout_days),
        times_are_past(table, schema, created),
        *(numbers_parse(table, feature.name) for feature in schema.features if feature.kind == "number"),
        *(in_range(table, name, *bounds, limits) for name, bounds in ranges.items()),
        *(not_mostly_missing(table, name, limits) for name in schema.names),
        few_duplicates(table, schema, limits),
        targets_usable(table, schema),
    ]
    if found[-1].passed and len(table) > 1:
        found += nothing_knows_too_much(table, schema, limits)
    return found


def columns_present(table: pd.DataFrame, schema: Schema) -> Verdict:
    missing = [name for name in schema.columns if name not in table.columns]
    found = f"no {', '.join(missing)} among {', '.join(table.columns)}" if missing else "all"
    return Verdict("columns", not missing, found, ", ".join(schema.columns))


def enough_rows(table: pd.DataFrame, limits: CheckLimits) -> Verdict:
    return Verdict("rows", len(table) >= limits.min_rows, str(len(table)), f"at least {limits.min_rows}")


def times_parse(table: pd.DataFrame, schema: Schema) -> Verdict:
    bad = table[schema.time][tables.times(table, schema).isna()]
    return Verdict(
        f"times of {schema.time}", bad.empty, _shown(list(bad)), "ISO 8601, as in 2013-01-31T10:15:00Z"
    )


def enough_days(table: pd.DataFrame, schema: Schema, holdout_days: int) -> Verdict:
    times = tables.times(table, schema).dropna()
    days = (times.max().normalize() - times.min().normalize()).days + 1 if len(times) else 0
    return Verdict("days", days > holdout_days, str(days), f"more than the {holdout_days} that are held out")


def times_are_past(table: pd.DataFrame, schema: Schema, created: str) -> Verdict:
    """A row from after its snapshot has a wrong date, and would be held out instead of the newest days."""
    newest = tables.times(table, schema).max()
    passed = not created or pd.isna(newest) or newest <= pd.Timestamp(created) + CLOCKS_DIFFER
    allowed = (
        f"at most a day after the snapshot, of {created}" if created else "anything: the snapshot has no date"
    )
    return Verdict(f"newest {schema.time}", bool(passed), str(newest), allowed)


def numbers_parse(table: pd.DataFrame, name: str) -> Verdict:
    bad = _all_that(table[name], lambda cell: not is_number(cell))
    return Verdict(f"numbers of {name}", not bad, _shown(bad), "a finite number, or empty if missing")


def in_range(table: pd.DataFrame, name: str, low: float, high: float, limits: CheckLimits) -> Verdict:
    values = tables.numbers(table[name])
    outside = (values < low) | (values > high)
    share = float(outside.mean()) if len(values) else 0.0
    first = f", the first {table[name][outside].iloc[0]!r}" if outside.any() else ""
    return Verdict(
        f"range of {name}",
        share <= limits.max_out_of_range_share,
        f"{share:.1%} outside{first}",
        f"at most {limits.max_out_of_range_share:.1%} outside {low:g} to {high:g}",
    )


def not_mostly_missing(table: pd.DataFrame, name: str, limits: CheckLimits) -> Verdict:
    share = len(_all_that(table[name], lambda cell: not cell.strip())) / max(1, len(table))
    allowed = limits.max_missing_share
    return Verdict(f"missing {name}", share <= allowed, f"{share:.1%}", f"at most {allowed:.0%}")


def few_duplicates(table: pd.DataFrame, schema: Schema, limits: CheckLimits) -> Verdict:
    """Rows that say again what an earlier one said; most differ in the first columns already."""
    alike = table[table.duplicated(list(schema.columns[:4]), keep=False)]
    share = int(alike.duplicated().sum()) / max(1, len(table))
    allowed = limits.max_duplicate_share
    return Verdict("duplicates", share <= allowed, f"{share:.1%}", f"at most {allowed:.0%} of the rows")


def nothing_knows_too_much(table: pd.DataFrame, schema: Schema, limits: CheckLimits) -> Iterator[Verdict]:
    """Asked only of targets that are usable."""
    truth = tables.truth(tables.targets(table, schema), schema)
    for feature in schema.features:
        alone, of_gaps = skills(table, feature, truth)
        for what, skill, allowed in (
            (f"{feature.name} alone", alone, limits.max_skill_alone),
            (f"gaps of {feature.name}", of_gaps, limits.max_skill_of_gaps),
        ):
            yield Verdict(
                f"leakage: {what}",
                skill <= allowed,
                f"{max(0.0, skill):.1%} of the variance of {schema.target} explained",
                f"at most {allowed:.0%}; leave the column out if it is written after the fact",
            )


def enough_of_each_class(train: pd.DataFrame, schema: Schema, limits: CheckLimits) -> Verdict:
    """Before the held-out days; a regression has no classes."""
    name = f"classes of {schema.target} before the held-out days"
    if schema.task == "regression":
        return Verdict(name, True, "none: a regression", "anything")
    if schema.task == "multiclass":
        return _enough_of_every_class(train, schema, limits, name)
    positive = int(tables.targets(train, schema).sum())
    rarer = min(positive, len(train) - positive)
    found = f"{positive} of {len(train)} rows are 1 ({positive / max(1, len(train)):.3%})"
    return Verdict(name, rarer >= limits.min_class_rows, found, f"at least {limits.min_class_rows} of each")


def _enough_of_every_class(train: pd.DataFrame, schema: Schema, limits: CheckLimits, name: str) -> Verdict:
    counts = train[schema.target].str.strip().value_counts()
    rows = {one: int(counts.get(one, 0)) for one in schema.classes}
    rarest = min(rows, key=lambda one: rows[one])
    found = f"{rows[rarest]} of {len(train)} rows are {rarest!r}, the rarest of {len(rows)} classes"
    allowed = f"at least {limits.min_class_rows} of each of CLASSES in model.py"
    return Verdict(name, rows[rarest] >= limits.min_class_rows, found, allowed)


def targets_usable(table: pd.DataFrame, schema: Schema) -> Verdict:
    """Two classes written 0 and 1, one of the model's classes, or numbers; no target is missing."""
    cells = table[schema.target]
    name = f"target {schema.target}"
    if schema.task == "regression":
        bad = _all_that(cells, lambda cell: not cell.strip() or not is_number(cell))
        return Verdict(name, not bad, _shown(bad), "a finite number on every row")
    if schema.task == "multiclass":
        bad = _all_that(cells, lambda cell: cell.strip() not in schema.classes)
        return Verdict(name, not bad, _shown(bad), f"one of {', '.join(schema.classes)}: CLASSES in model.py")
    classes = sorted(set(cells))
    wanted = {number(cell) if is_number(cell) else cell for cell in classes} == {0.0, 1.0}
    found = ", ".join(repr(cell) for cell in classes[:5]) + (" and more" if len(classes) > 5 else "")
    return Verdict(name, wanted, found, "0 and 1, both present")


def _all_that(cells: pd.Series, holds: Callable[[str], bool]) -> list[str]:
    """The cells of which it holds, in their order."""
    return list(cells[tables.by_value(cells, holds).astype(bool)])


def _shown(bad: list[str]) -> str:
    return f"{len(bad)} that are not, the first {bad[0]!r}" if bad else "all fit"
