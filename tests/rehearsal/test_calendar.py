"""The calendar to which a season is compared: when it trains, and on what."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.scenarios.calendar_models import Plan, answer, firsts

REFUSES = """
import csv, gzip, os, sys
with gzip.open(os.environ["SM_BASE_DIR"] + "/input/data/train/rows.csv.gz", "rt") as file:
    times = [row["event_time"] for row in csv.DictReader(file)]
sys.exit(f"{len(times)} rows, the last of {times[-1]}")
"""


def table(path: Path, *times: str) -> None:
    with gzip.open(path, "wt") as file:
        file.write("event_time,late\n" + "".join(f"{time},0\n" for time in times))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    table(tmp_path / "2013-02.csv.gz", "2013-02-28T10:00:00Z")
    table(tmp_path / "2013-03.csv.gz", "2013-03-01T10:00:00Z", "2013-03-30T23:00:00Z", "2013-03-31T00:00:00Z")
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "__main__.py").write_text(REFUSES)
    start, end = "2013-03-01T00:00:00+00:00", "2013-04-02T00:00:00+00:00"
    return Plan(str(tmp_path), ("2013-02.csv.gz",), start, end, "event_time", ("late",), str(tmp_path))


def test_the_calendar_trains_on_each_first_within_the_season() -> None:
    months = firsts(datetime(2013, 3, 1, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC))
    assert [f"{month:%m-%d}" for month in months] == ["04-01", "05-01"]


def test_a_month_s_model_knows_no_label_of_the_day_before_and_says_why_it_failed(
    plan: Plan, tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"^3 rows, the last of 2013-03-30T23:00:00Z$"):
        answer(plan, tmp_path / "calendar")
