"""What a scenario does to its table: from when on which column is changed how, and days dealt out anew."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Self

from pydantic import Field, model_validator

from config.values import Part
from rehearsal.scenarios.dataset import rows
from rehearsal.scenarios.kinds import Instant, Listed, exactly_one

Row = dict[str, str]


class Change(Part):
    """One column from one instant on: add, multiply, replace or swap (0 and 1)."""

    start: Annotated[Instant, Field(alias="from")]
    until: Instant | None = None
    column: str
    add: float | None = None
    multiply: float | None = None
    replace: str | None = None
    """An empty text is a missing value."""
    swap: bool = False
    share: Annotated[float, Field(gt=0, le=1)] = 1
    """Of the rows, drawn with the scenario's seed."""
    over_days: Annotated[float, Field(ge=0)] = 0
    """The share grows evenly from nothing within this time."""

    @model_validator(mode="after")
    def _one_deed(self) -> Self:
        deeds = {name: getattr(self, name) is not None for name in ("add", "multiply", "replace")}
        exactly_one({**deeds, "swap": self.swap})
        return self

    def share_at(self, instant: datetime) -> float:
        if instant < self.start or (self.until and instant >= self.until):
            return 0.0
        grown = (instant - self.start) / timedelta(days=self.over_days) if self.over_days else 1.0
        return self.share * min(1.0, grown)

    def of(self, cell: str) -> str:
        """The changed cell; what is missing stays so, unless it is replaced."""
        if self.replace is not None:
            return self.replace
        if not cell:
            return cell
        if self.swap:
            return str(1 - int(cell))
        value = float(cell) * self.multiply if self.multiply is not None else float(cell) + (self.add or 0.0)
        return f"{value:.9g}"


class Table(Part):
    """Months of rows, `YYYY-MM.csv.gz`, and what is done to them before they are played."""

    folder: str
    """From the top of this project; one of your own from the scenario's file."""
    history: Annotated[Listed[str], Field(min_length=1)]
    """Files that are there before the start."""
    time: str = "event_time"
    keep_every: Annotated[int, Field(ge=1)] = 1
    """One row in so many is kept: a thinner table is played faster."""
    shuffle_days: bool = False
    """Every day of all files gets the rows of another day, of the same weekday."""
    changes: Listed[Change] = ()
    seed: int = 0

    @property
    def is_as_it_is(self) -> bool:
        return self.keep_every == 1 and not self.shuffle_days and not self.changes


def write_changed(table: Table, source: Path, target: Path, *, end: datetime) -> None:
    """Write what is played up to the end as the scenario wants it. Raises ValueError for a column that is not there."""
    months = {path.name: path for path in sorted(source.glob("*.csv.gz"))}
    played = [name for name in months if name in table.history or name <= f"{end:%Y-%m}.csv.gz"]
    needed = months if table.shuffle_days else played
    files = {name: _thinned(months[name], table.keep_every) for name in needed}
    if table.shuffle_days:
        files = _shuffled(files, table)
    draw = Random(table.seed)  # noqa: S311
    target.mkdir(parents=True, exist_ok=True)
    for name in played:
        _write(target / name, list(_changed(files[name], table, draw)))


def _thinned(path: Path, keep_every: int) -> list[Row]:
    return [row for number, row in enumerate(rows(path)) if number % keep_every == 0]


def _changed(found: Iterable[Row], table: Table, draw: Random) -> Iterator[Row]:
    for row in found:
        row, instant = dict(row), datetime.fromisoformat(row[table.time])
        for change in table.changes:
            if change.column not in row:
                raise ValueError(f"column {change.column!r}: not in the table, which has {', '.join(row)}")
            share = change.share_at(instant)
            if share == 1 or (share > 0 and draw.random() < share):
                row[change.column] = change.of(row[change.column])
        yield row


def _shuffled(files: dict[str, list[Row]], table: Table) -> dict[str, list[Row]]:
    days: dict[str, list[Row]] = defaultdict(list)
    for found in files.values():
        for row in found:
            days[row[table.time][:10]].append(row)
    months: dict[str, list[Row]] = {name: [] for name in files}
    for day, given in sorted(dealt(list(days), table.seed).items()):
        moved = ({**row, table.time: day + row[table.time][10:]} for row in days[given])
        months.setdefault(f"{day[:7]}.csv.gz", []).extend(moved)
    return months


def dealt(days: Sequence[str], seed: int) -> dict[str, str]:
    """Day -> the day whose rows it gets: a permutation within each weekday."""
    draw, there = Random(seed), sorted(days)  # noqa: S311
    given = within_weekdays([date.fromisoformat(day).weekday() for day in there], draw.shuffle)
    return {day: there[place] for day, place in zip(there, given, strict=True)}


def within_weekdays(weekdays: Sequence[int], shuffle: Callable[[list[int]], None]) -> list[int]:
    """Of each place the place whose rows it gets; `shuffle` puts those of one weekday into another order."""
    given = [0] * len(weekdays)
    for weekday in sorted(set(weekdays)):
        places = [place for place, one in enumerate(weekdays) if one == weekday]
        drawn = list(places)
        shuffle(drawn)
        for place, other in zip(places, drawn, strict=True):
            given[place] = other
    return given


def _write(path: Path, found: list[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(found[0]) if found else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=1, mtime=0))
