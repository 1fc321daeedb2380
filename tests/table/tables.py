"""Strangers' tables for tests: rows by hand, written as files of any dialect."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2023, 1, 2, tzinfo=UTC)


def hourly(count: int, *, step: timedelta = timedelta(hours=1)) -> list[str]:
    return [f"{START + i * step:%Y-%m-%dT%H:%M:%SZ}" for i in range(count)]


def rows(count: int = 1500) -> list[list[str]]:
    """time, x, colour, y: y is 1 where x is large and the colour is red."""
    return [
        [time, f"{i * 37 % 101}", ("red", "green", "blue")[i % 3], str(int(i * 37 % 101 > 50 and i % 3 != 1))]
        for i, time in enumerate(hourly(count))
    ]


HEADER = ["when", "x", "colour", "y"]


def write(
    path: Path,
    body: Iterable[Sequence[str]] | None = None,
    *,
    header: Sequence[str] = HEADER,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows() if body is None else body)
    path.write_bytes(text.getvalue().encode(encoding))
    return path
