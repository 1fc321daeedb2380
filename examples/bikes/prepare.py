"""Write the bikes example, one gzipped CSV, from the table Bikeshare of the ISLP package.

Get the source first; nothing is installed:

    pip download ISLP==0.6.0 --no-deps --dest build/bikes
    unzip -o build/bikes/islp-0.6.0-py3-none-any.whl ISLP/data/Bikeshare.csv -d build/bikes
    python examples/bikes/prepare.py build/bikes/ISLP/data/Bikeshare.csv
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

NEW_YEAR = datetime(2011, 1, 1, tzinfo=UTC)
KEPT = ("holiday", "weekday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed")
COLUMNS = ("event_time", "hour", *KEPT, "bikers")

Record = Mapping[str, str]


def to_row(record: Record) -> tuple[str, ...]:
    """One hour; `day` is the day of the year. Riders by kind are left out: they add up to the target."""
    at = NEW_YEAR + timedelta(days=int(record["day"]) - 1, hours=int(record["hr"]))
    return (f"{at:%Y-%m-%dT%H:%M:%SZ}", record["hr"], *(record[name] for name in KEPT), record["bikers"])


def read(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return sorted(to_row(record) for record in csv.DictReader(lines))


def write(path: Path, rows: list[tuple[str, ...]]) -> None:
    """The same rows give the same bytes: no file name and no time in the gzip header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: prepare.py FILE (Bikeshare.csv of the ISLP package)")
    rows = read(Path(sys.argv[1]))
    write(Path(__file__).with_name("bikes.csv.gz"), rows)
    print(f"{len(rows)} hours")


if __name__ == "__main__":
    main()
