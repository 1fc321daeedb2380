import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.loss import LossDay
from domain.settings import BuildSnapshotSettings
from domain.snapshot import Manifest
from lambdas import build_snapshot
from tests.lambdas.local import DEPLOYMENT, Local
from tests.lambdas.traffic import PACKAGE, captured, crown, exchange, labelled

SETTINGS = BuildSnapshotSettings(
    data_bucket="data",
    capture_bucket="capture",
    ledger_table="ledger",
    kms_key_arn="",
    endpoint_name=DEPLOYMENT,
    label_lookback_days=7,
)
JANUARY = b"event_time,hour,origin,late\n2013-01-01T05:00:00Z,5,JFK,0\n2013-01-31T05:00:00Z,6,EWR,1\n"
FEBRUARY = b"event_time,hour,origin,late\n2013-02-01T05:00:00Z,7,JFK,1\n"

Build = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def cold() -> None:
    """Each test begins with a function that has read nothing yet."""
    build_snapshot._captured.cache_clear()


@pytest.fixture
def build(local: Local) -> Build:
    return lambda: local.run(build_snapshot, replace(SETTINGS, kms_key_arn=local.key_arn), {})


@pytest.fixture
def history(local: Local, build: Build) -> Manifest:
    """A first snapshot, of one table, and a live model."""
    local.put("s3://data/history/2013-01.csv.gz", gzip.compress(JANUARY, mtime=0))
    build()
    crown(local)
    return manifest(local)


def manifest(local: Local) -> Manifest:
    latest = local.ledger.latest_snapshot()
    assert latest is not None
    return Manifest.from_json(local.read("data", f"snapshots/{latest['id']}/manifest.json").decode())


def rows(local: Local, number: int) -> list[dict[str, str]]:
    body = gzip.decompress(local.read("data", manifest(local).parts[number].key)).decode()
    return list(csv.DictReader(io.StringIO(body)))


def test_without_any_table_there_is_no_snapshot_and_the_answer_says_where_to_put_one(build: Build) -> None:
    assert build() == {"snapshot": None, "reason": "no table under history/ in data"}


def test_the_first_snapshot_is_the_history_in_the_order_of_its_keys(local: Local, build: Build) -> None:
    local.put("s3://data/history/2013-02.csv.gz", gzip.compress(FEBRUARY, mtime=0))
    local.put("s3://data/history/2013-01.csv.gz", gzip.compress(JANUARY, mtime=0))
    local.put("s3://data/history/", b"")
    answer = build()
    made = manifest(local)
    assert answer == {"snapshot": made.id, "rows": 3, "added_parts": 2}
    assert [part.first_time[:7] for part in made.parts] == ["2013-01", "2013-02"]
    assert made.columns == ("event_time", "hour", "origin", "late")
    assert made.previous is None
    assert local.read("data", made.parts[0].key) == gzip.compress(JANUARY, mtime=0)


def test_each_part_is_named_by_its_content_and_held_at_its_version(local: Local, history: Manifest) -> None:
    (part,) = history.parts
    held = local.s3.get_object(Bucket="data", Key=part.key, VersionId=part.version_id)
    assert held["SSEKMSKeyId"] == local.key_arn
    assert held["Body"].read() == gzip.compress(JANUARY, mtime=0)


def test_a_job_finds_the_list_of_parts_beside_the_manifest(local: Local, history: Manifest) -> None:
    assert local.read("data", history.download_key).decode() == history.to_download("data")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"event_time,hour\n", "history/2013-03.csv.gz: not a gzipped CSV"),
        (
            gzip.compress(b"time,hour\n1,2\n", mtime=0),
            "history/2013-03.csv.gz: a part needs a header with 'event_time'",
        ),
        (
            gzip.compress(b"event_time,hour\n1,2\n", mtime=0),
            "the tables under history/ have 2 different headers",
        ),
    ],
)
def test_a_history_that_cannot_be_one_table_is_refused_by_name(
    local: Local, build: Build, table: bytes, says: str
) -> None:
    local.put("s3://data/history/2013-01.csv.gz", gzip.compress(JANUARY, mtime=0))
    local.put("s3://data/history/2013-03.csv.gz", table)
    with pytest.raises(ValueError, match=says):
        build()
    assert local.ledger.latest_snapshot() is None


def test_a_table_that_was_put_twice_is_one_part(local: Local, build: Build) -> None:
    for name in ("a", "b"):
        local.put(f"s3://data/history/{name}.csv.gz", gzip.compress(JANUARY, mtime=0))
    assert build()["rows"] == 2


def test_the_next_snapshot_adds_the_captured_rows_that_got_their_labels(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(
        local,
        "2013/04/18",
        [exchange("a", [[7, "JFK"], [8, "EWR"]], [0.25, 0.5]), exchange("b", [[9, "JFK"]], [1.0])],
    )
    labelled(local, "2013/04/19", {"a": "1\n0", "unknown": "1"})
    answer = build()
    made = manifest(local)
    assert answer == {"snapshot": made.id, "rows": 4, "added_parts": 1}
    assert made.parts[0] == history.parts[0]
    assert (made.previous, made.unmatched_labels) == (history.id, 1)
    assert made.label_files == ("labels/2013/04/19/a.jsonl",)
    assert made.parts[1].loss == {PACKAGE: (LossDay("2013-04-18", 2, 562_500 + 250_000, 187_500 + 250_000),)}
    assert made.parts[1].label_day == "2013/04/19"
    first, second = rows(local, 1)
    assert (first["hour"], first["origin"], first["late"], first["_model"]) == ("7", "JFK", "1", PACKAGE)
    assert (second["event_time"], second["late"]) == ("2013-04-18T10:00:00Z", "0")


def test_running_twice_changes_nothing(local: Local, build: Build, history: Manifest) -> None:
    captured(local, "2013/04/18", [exchange("a", [[7, "JFK"]], [0.25])])
    labelled(local, "2013/04/19", {"a": "1"})
    build()
    before = (local.keys("data"), local.ledger.latest_snapshot())
    assert build() == {"snapshot": None, "reason": "no new label file"}
    assert (local.keys("data"), local.ledger.latest_snapshot()) == before


def test_the_same_world_gives_the_same_snapshot_if_the_ledger_forgot_it(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/18", [exchange("a", [[7, "JFK"]], [0.25])])
    labelled(local, "2013/04/19", {"a": "1"})
    first = build()
    local.ledger.set_latest_snapshot({"id": history.id})
    assert build() == first


def test_a_label_file_that_comes_late_is_found_within_the_lookback_and_not_after_it(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/10", [exchange("a", [[7, "JFK"]], [0.25]), exchange("b", [[8, "EWR"]], [0.5])])
    labelled(local, "2013/04/13", {"a": "1"})
    labelled(local, "2013/04/12", {"b": "1"})
    assert build()["rows"] == 3
    assert manifest(local).label_files == ("labels/2013/04/13/a.jsonl",)


def test_a_capture_of_the_days_before_the_label_is_joined_and_an_older_one_is_not(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/12", [exchange("a", [[7, "JFK"]], [0.25])])
    captured(local, "2013/04/11", [exchange("b", [[8, "EWR"]], [0.5])])
    labelled(local, "2013/04/19", {"a": "1", "b": "1"})
    assert build()["rows"] == 3
    assert manifest(local).unmatched_labels == 1


def test_a_second_label_file_of_a_day_adds_its_rows_as_a_part_of_its_own(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/18", [exchange("a", [[7, "JFK"]], [0.25]), exchange("b", [[8, "EWR"]], [0.5])])
    labelled(local, "2013/04/19", {"a": "1"})
    build()
    labelled(local, "2013/04/19", {"b": "0"}, file="late.jsonl")
    assert build()["added_parts"] == 1
    assert [part.label_day for part in manifest(local).parts] == ["", "2013/04/19", "2013/04/19"]
    assert len(manifest(local).label_files) == 2


def test_labels_that_are_delivered_again_add_no_row_a_second_time(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/18", [exchange("a", [[7, "JFK"]], [0.25]), exchange("b", [[8, "EWR"]], [0.5])])
    labelled(local, "2013/04/19", {"a": "1"})
    build()
    labelled(local, "2013/04/19", {"a": "1", "b": "0"}, file="all-of-the-day.jsonl")
    labelled(local, "2013/04/20", {"a": "1", "b": "0"})
    assert build()["added_parts"] == 1
    assert manifest(local).rows == 4
    assert [row["_inference_id"] for row in rows(local, 2)] == ["b"]


def test_labels_without_a_request_change_no_row_but_are_counted_once(
    local: Local, build: Build, history: Manifest
) -> None:
    labelled(local, "2013/04/19", {"unknown": "1"})
    assert build() == {"snapshot": history.id, "rows": 2, "added_parts": 0}
    assert build()["snapshot"] is None
    made = manifest(local)
    assert (made.unmatched_labels, made.id, made.previous) == (1, history.id, None)


def test_lines_that_cannot_be_read_are_counted_and_the_others_joined(
    local: Local, build: Build, history: Manifest
) -> None:
    captured(local, "2013/04/18", ["junk", exchange("a", [[7, "JFK"], [8, "JFK"]], [0.25, 0.5])])
    local.put("s3://data/labels/2013/04/19/junk.jsonl", b"\xff\xfe{\n")
    labelled(local, "2013/04/19", {"a": "1\n7"})
    assert build()["rows"] == 3
    assert manifest(local).skipped_lines == 2


def test_days_pass_and_each_adds_its_part(local: Local, build: Build, history: Manifest) -> None:
    for day in (18, 19, 20):
        captured(local, f"2013/04/{day}", [exchange(f"flight-{day}", [[7, "JFK"]], [0.25])])
        labelled(local, f"2013/04/{day + 1}", {f"flight-{day}": "1"})
        local.at(datetime(2013, 4, day + 1, 13, tzinfo=UTC))
        build()
    made = manifest(local)
    assert [part.label_day for part in made.parts] == ["", "2013/04/19", "2013/04/20", "2013/04/21"]
    assert len(made.label_files) == 3


def test_labels_without_a_live_model_are_an_error_that_says_so(local: Local, build: Build) -> None:
    local.put("s3://data/history/2013-01.csv.gz", gzip.compress(JANUARY, mtime=0))
    build()
    labelled(local, "2013/04/19", {"a": "1"})
    with pytest.raises(LookupError, match="labels but no live model"):
        build()
