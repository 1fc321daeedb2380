from __future__ import annotations

import csv
import gzip
import importlib.util
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rehearsal.table.prepare import Question, prepare

BIKES = Path(__file__).parents[2] / "examples" / "bikes"
TABLE = BIKES / "bikes.csv.gz"
SOURCE = {
    "day": "32",
    "hr": "5",
    "bikers": "7",
    "casual": "3",
    "registered": "4",
    "season": "1",
    "mnth": "Feb",
}
REST = {"holiday": "0", "weekday": "2", "workingday": "1", "weathersit": "clear"}
WEATHER = {"temp": "0.24", "atemp": "0.2879", "hum": "0.81", "windspeed": "0"}


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("prepare_bikes", BIKES / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_a_row_an_hour_in_the_order_of_time(script: Any) -> None:
    with gzip.open(TABLE, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 8645
    assert tuple(rows[0]) == script.COLUMNS
    assert all(a["event_time"] < b["event_time"] for a, b in pairwise(rows))
    assert all(int(row["event_time"][11:13]) == int(row["hour"]) for row in rows)


def test_the_day_of_the_year_and_the_hour_make_the_time_and_riders_by_kind_are_left_out(script: Any) -> None:
    row = dict(zip(script.COLUMNS, script.to_row({**SOURCE, **REST, **WEATHER}), strict=True))
    assert row["event_time"] == "2011-02-01T05:00:00Z"
    assert row["bikers"] == "7"
    assert not {"casual", "registered", "season", "mnth"} & set(row)


def test_the_same_source_gives_the_same_bytes(script: Any, tmp_path: Path) -> None:
    source = tmp_path / "Bikeshare.csv"
    record = {**SOURCE, **REST, **WEATHER}
    with source.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(record))
        writer.writeheader()
        writer.writerows([record, {**record, "hr": "4"}])
    for name in ("one.gz", "two.gz"):
        script.write(tmp_path / name, script.read(source))
    body = (tmp_path / "one.gz").read_bytes()
    assert body == (tmp_path / "two.gz").read_bytes()
    assert body[4:8] == bytes(4), "the gzip header holds the time of writing"
    assert gzip.decompress(body).splitlines()[1].startswith(b"2011-02-01T04:00:00Z,4,")


def test_the_columns_are_understood_without_a_word(script: Any) -> None:
    prepared = prepare(Question(TABLE, "bikers", "event_time"))
    assert prepared.task == "regression"
    kinds = prepared.kinds
    assert kinds["weathersit"] == "category"
    assert {name for name in script.KEPT if kinds[name] == "number"} == set(script.KEPT) - {"weathersit"}
    assert prepared.pace.note.startswith("as dated")
