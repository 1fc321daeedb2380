"""A prepared table in time order: months as csv.gz files, grouped by the hour of each row's time."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path


@dataclass(frozen=True)
class Hour:
    """All rows of one hour: what a client asks for at once."""

    at: datetime
    rows: tuple[dict[str, str], ...]

    @property
    def inference_id(self) -> str:
        return f"{self.at:%Y%m%dT%H}"

    def cells(self, features: Sequence[str]) -> list[list[str]]:
        """What a request has of each row."""
        return [[row[name] for name in features] for row in self.rows]


def request_body(cells: Sequence[Sequence[str]]) -> str:
    """Rows as a client sends them: CSV without a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()


def rows(path: Path) -> Iterator[dict[str, str]]:
    """All rows of one file, every cell as text."""
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def hours(directory: Path, *, time: str, start: datetime, end: datetime) -> Iterator[Hour]:
    """The hours from `start` (included) to `end` (not), in order, without empty ones."""
    first, last = f"{start:%Y-%m-%dT%H}", f"{end:%Y-%m-%dT%H}"
    for path in sorted(directory.glob("*.csv.gz")):
        if not f"{start:%Y-%m}" <= path.name[:7] <= f"{end:%Y-%m}":
            continue
        for hour, of_hour in groupby(rows(path), key=lambda row: row[time][:13]):
            if first <= hour < last:
                yield Hour(datetime.fromisoformat(f"{hour}:00:00+00:00"), tuple(of_hour))
