from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from training import model

ROOT = Path(__file__).parents[2]
FLIGHTS = ROOT / "examples" / "flights"
MONTHS = sorted(FLIGHTS.glob("2013-*.csv.gz"))


def rows(month: Path) -> Iterator[dict[str, str]]:
    with gzip.open(month, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


@pytest.fixture(scope="module")
def prepare() -> Any:
    spec = importlib.util.spec_from_file_location("prepare_flights", FLIGHTS / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_file_for_each_month_of_the_year() -> None:
    assert [month.name for month in MONTHS] == [f"2013-{number:02d}.csv.gz" for number in range(1, 13)]


def test_the_columns_are_those_of_the_model_that_ships() -> None:
    for month in MONTHS:
        first = next(rows(month))
        assert list(first) == [model.TIME, *model.FEATURES, model.TARGET]


def test_rows_are_in_the_order_of_time_and_in_their_utc_month() -> None:
    times = [(month.name[:7], row["event_time"]) for month in MONTHS[2:4] for row in rows(month)]
    assert all(time.startswith(name) for name, time in times)
    assert all(before[1] <= after[1] for before, after in pairwise(times))


def test_the_clock_change_moves_the_local_hour_and_not_the_utc_time() -> None:
    """From 10 March New York is four hours behind UTC, before it five."""
    offsets = {
        (row["event_time"][:10], (int(row["event_time"][11:13]) - int(row["hour"])) % 24)
        for row in rows(MONTHS[2])
        if row["event_time"][8:10] in ("09", "11")
    }
    assert offsets == {("2013-03-09", 5), ("2013-03-11", 4)}


def flight(**changes: str) -> dict[str, str]:
    known = {"year": "2013", "month": "1", "day": "1", "hour": "5", "minute": "15", "origin": "EWR"}
    known |= {"carrier": "UA", "dest": "IAH", "distance": "1400", "arr_delay": "11"}
    return known | {"time_hour": "2013-01-01T10:00:00Z"} | changes


def test_a_row_carries_the_weather_of_the_hour_before(prepare: Any) -> None:
    now, before = (prepare.utc(f"2013-01-01T{hour}:00:00Z") for hour in ("10", "09"))
    weather = {("EWR", now): ("50",) * 8, ("EWR", before): ("40",) * 8, ("JFK", before): ("30",) * 8}
    row = dict(zip(prepare.COLUMNS, prepare.to_row(flight(), weather), strict=True))
    assert row["temp"] == "40"
    assert row["event_time"] == "2013-01-01T10:15:00Z"
    assert row["weekday"] == "Tue"


def test_an_hour_without_a_reading_leaves_the_weather_empty(prepare: Any) -> None:
    row = dict(zip(prepare.COLUMNS, prepare.to_row(flight(), {}), strict=True))
    assert {row[name] for name in prepare.WEATHER} == {""}


@pytest.mark.parametrize("delay, late", [("30", "0"), ("31", "1"), ("-12", "0"), ("NA", "1")])
def test_late_is_more_than_thirty_minutes_or_never(prepare: Any, delay: str, late: str) -> None:
    assert prepare.to_row(flight(arr_delay=delay), {})[-1] == late


@pytest.mark.parametrize("text, value", [("10.357019999999999", "10.35702"), ("1012", "1012"), ("NA", "")])
def test_numbers_lose_their_binary_noise_and_nothing_else(prepare: Any, text: str, value: str) -> None:
    assert prepare.value(text) == value


def test_the_same_source_gives_the_same_bytes_in_whatever_order(prepare: Any, tmp_path: Path) -> None:
    flights = [flight(flight=str(number), arr_delay=str(number)) for number in (7, 31, 100)]
    results = set()
    for order in (flights, flights[::-1]):
        text = io.StringIO()
        writer = csv.DictWriter(text, list(flights[0]))
        writer.writeheader()
        writer.writerows(order)
        with zipfile.ZipFile(tmp_path / "flights.csv.zip", "w") as archive:
            archive.writestr("flights.csv", text.getvalue())
        (tmp_path / "weather.csv").write_text(",".join(["origin", "time_hour", *prepare.WEATHER]) + "\n")
        prepare.write(tmp_path / "out.gz", prepare.rows_by_month(tmp_path)["2013-01"])
        results.add((tmp_path / "out.gz").read_bytes())
    assert len(results) == 1
    assert results.pop()[4:8] == bytes(4), "the gzip header holds the time of writing"


def train(base: Path, threads: str, hash_seed: str) -> bytes:
    channel = base / "input" / "data" / "train"
    channel.mkdir(parents=True)
    (channel / "january.csv.gz").write_bytes(MONTHS[0].read_bytes())
    env = {"PATH": os.environ["PATH"], "SM_BASE_DIR": str(base)}
    env |= {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive", "PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-m", "training", "train"], cwd=ROOT, env=env, check=True)
    assert json.loads((base / "model" / "schema.json").read_text())["target"] == "late"
    return (base / "model" / "model.onnx").read_bytes()


def test_the_model_that_ships_gives_the_same_bytes_on_one_thread_and_on_two(tmp_path: Path) -> None:
    assert train(tmp_path / "one", "1", "1") == train(tmp_path / "two", "2", "2")
