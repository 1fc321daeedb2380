from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.training.job import COLUMNS, Job, Row, model_py, packed, rows_of

Change = Callable[[list[Row]], list[Row]]


def days_of(job: Job, name: str) -> set[str]:
    lines = gzip.decompress((job.processing / name / f"{name}.csv.gz").read_bytes()).decode().splitlines()
    return {line[:10] for line in lines[1:]}


def test_the_last_fourteen_days_are_held_out_and_no_day_is_on_both_sides(job: Job) -> None:
    job.deliver([packed(rows_of())])
    assert job.run("prepare") == 0
    assert min(days_of(job, "test")) == "2013-01-11"
    assert len(days_of(job, "test")) == 14
    assert max(days_of(job, "train")) == "2013-01-10"


def test_the_number_of_held_out_days_comes_from_the_environment(job: Job) -> None:
    job.deliver([packed(rows_of())])
    job.monkeypatch.setenv("HOLDOUT_DAYS", "3")
    assert job.run("prepare") == 0
    assert len(days_of(job, "test")) == 3


def test_a_number_of_days_that_is_none_is_refused(job: Job) -> None:
    job.monkeypatch.setenv("HOLDOUT_DAYS", "two weeks")
    assert job.run("prepare") == 1
    assert job.reason("message") == "HOLDOUT_DAYS is 'two weeks', expected a whole number of at least 1"


def test_parts_are_one_table_in_the_order_of_time(job: Job) -> None:
    rows = rows_of()
    job.deliver([packed(rows[500:]), packed(rows[:500])])
    assert job.run("prepare") == 0
    several = (job.processing / "train" / "train.csv.gz").read_bytes()
    job.deliver([packed(rows)])
    assert job.run("prepare") == 0
    assert (job.processing / "train" / "train.csv.gz").read_bytes() == several


def test_rows_of_the_same_time_keep_the_order_of_the_manifest(job: Job) -> None:
    rows = rows_of()
    for number, row in enumerate(rows):
        row["at"] = row["at"][:11] + "12:00:00Z"
        row["heat"] = str(number)
    job.deliver([packed(rows)])
    assert job.run("prepare") == 0
    lines = gzip.decompress((job.processing / "test" / "test.csv.gz").read_bytes()).decode().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == [str(number) for number in range(400, 960)]


def test_a_table_carries_no_time_of_its_writing(job: Job) -> None:
    job.deliver([packed(rows_of())])
    job.run("prepare")
    assert (job.processing / "train" / "train.csv.gz").read_bytes()[4:8] == bytes(4)


def test_columns_of_the_join_are_left_out_and_a_champions_old_feature_is_kept(job: Job) -> None:
    rows = [row | {"_model": "v1", "old_feature": "x"} for row in rows_of()]
    job.deliver([packed(rows, (*COLUMNS, "_model", "old_feature"))])
    assert job.run("prepare") == 0
    header = gzip.decompress((job.processing / "test" / "test.csv.gz").read_bytes()).split(b"\n")[0]
    assert header == b"at,place,heat,wind,late,old_feature"


def test_other_snapshots_parts_beside_ours_are_not_read(job: Job) -> None:
    job.deliver([packed(rows_of())])
    job.file("processing", "parts", "deadbeef.csv.gz").write_bytes(b"not ours")
    assert job.run("prepare") == 0


def test_parts_are_found_below_the_prefix_that_was_mounted(job: Job) -> None:
    job.deliver([packed(rows_of())])
    nested = job.processing / "parts" / "snapshots"
    (job.processing / "parts").rename(job.processing / "moved")
    nested.mkdir(parents=True)
    (job.processing / "moved").rename(nested / "parts")
    assert job.run("prepare") == 0


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"sha256": "00"}, "the manifest says 00: it was changed"),
        ({"rows": 7}, "has 960 rows, the manifest says 7"),
        ({"key": "snapshots/parts/absent.csv.gz"}, "part snapshots/parts/absent.csv.gz was not delivered"),
    ],
)
def test_a_part_that_is_not_what_the_manifest_says_stops_the_run(
    job: Job, change: dict[str, object], reason: str
) -> None:
    job.deliver([packed(rows_of())], **change)
    assert job.run("prepare") == 1
    assert reason in job.reason("message")


def each(column: str, value: str) -> Change:
    return lambda rows: [row | {column: value} for row in rows]


def one(column: str, value: str) -> Change:
    return lambda rows: [*rows[:100], rows[100] | {column: value}, *rows[101:]]


def twice(rows: list[Row]) -> list[Row]:
    return [*rows, *rows]


def told_by(column: str, values: dict[str, str]) -> Change:
    """The column says what the target is."""
    return lambda rows: [row | {column: values[row["late"]]} for row in rows]


def only_late_at(count: int) -> Change:
    """Late in so many of the first rows, and as it was in the days that are held out."""
    return lambda rows: [
        row | {"late": str(int(number < count))} if number < 400 else row for number, row in enumerate(rows)
    ]


def only(count: int) -> Change:
    return lambda rows: rows[:count]


@pytest.mark.parametrize(
    "change, reason",
    [
        (only(299), "rows: got 299, allowed: at least 300"),
        (only(520), "days: got 13, allowed: more than the 14 that are held out"),
        (one("at", "yesterday"), "times of at: got 1 that are not, the first 'yesterday'"),
        (one("heat", "hot"), "numbers of heat: got 1 that are not, the first 'hot'"),
        (one("heat", "inf"), "numbers of heat: got 1 that are not, the first 'inf'"),
        (each("wind", ""), "missing wind: got 100.0%, allowed: at most 50%"),
        (twice, "duplicates: got 50.0%, allowed: at most 25% of the rows"),
        (
            told_by("place", {"0": "north", "1": "south"}),
            "leakage: place alone: got 100.0% of the variance of late",
        ),
        (told_by("wind", {"0": "1.5", "1": ""}), "leakage: gaps of wind: got 100.0% of the variance of late"),
        (only_late_at(9), "classes of late before the held-out days: got 9 of 400 rows are 1 (2.250%)"),
        (each("late", "1"), "target late: got '1', allowed: 0 and 1, both present"),
        (one("late", "2"), "target late: got '0', '1', '2', allowed: 0 and 1, both present"),
        (one("late", ""), "target late: got '', '0', '1', allowed: 0 and 1, both present"),
    ],
)
def test_an_unsound_table_is_refused_with_what_was_got_and_what_is_allowed(
    job: Job, change: Change, reason: str
) -> None:
    job.deliver([packed(change(rows_of()))])
    assert job.run("prepare") == 1
    assert reason in job.reason("message")
    assert not job.json("checks", "checks.json")["passed"]
    assert not (job.processing / "train").exists()


def test_a_range_in_model_py_holds_for_all_but_a_few_rows(job: Job) -> None:
    rows = rows_of()
    rows[0]["heat"] = "400"
    job.use(model_py(RANGES={"heat": (0, 40)}))
    job.deliver([packed(rows)])
    assert job.run("prepare") == 0
    job.deliver([packed([row | {"heat": f"{float(row['heat']) * 10}"} for row in rows])])
    assert job.run("prepare") == 1
    assert "range of heat: got 89.7% outside, the first '4000.0'" in job.reason("message")
    assert "allowed: at most 1.0% outside 0 to 40" in job.reason("message")


@pytest.mark.parametrize(
    "ranges, reason",
    [
        ({"place": (0, 1)}, "RANGES names 'place', allowed are the numbers of FEATURES"),
        ({"heat": (1, 0)}, "RANGES['heat'] is (1, 0), expected the lowest and the highest value"),
    ],
)
def test_a_range_that_cannot_hold_is_refused(
    job: Job, ranges: dict[str, tuple[int, int]], reason: str
) -> None:
    job.use(model_py(RANGES=ranges))
    job.deliver([packed(rows_of())])
    assert job.run("prepare") == 1
    assert job.reason("message") == f"model.py: {reason}"


def test_a_row_from_after_its_snapshot_is_refused(job: Job) -> None:
    job.deliver(
        [packed([*rows_of(), rows_of()[0] | {"at": "2031-01-02T00:00:00Z"}])], created="2013-01-25T00:00:00Z"
    )
    assert job.run("prepare") == 1
    assert "newest at: got 2031-01-02 00:00:00+00:00, allowed: at most a day after" in job.reason("message")
    job.deliver([packed(rows_of())], created="2013-01-25T00:00:00Z")
    assert job.run("prepare") == 0


def test_a_limit_comes_from_the_environment(job: Job) -> None:
    job.monkeypatch.setenv("MAX_DUPLICATE_SHARE", "0.5")
    job.deliver([packed(twice(rows_of()))])
    assert job.run("prepare") == 0


def test_a_missing_column_is_named(job: Job) -> None:
    job.deliver([packed(rows_of(), ("at", "place", "heat", "late"))])
    assert job.run("prepare") == 1
    assert job.reason("message").startswith("columns: got no wind among at, place, heat, late")


def test_both_classes_must_occur_before_the_held_out_days(job: Job) -> None:
    rows = rows_of()
    for row in rows[:400]:
        row["late"] = "0"
    job.deliver([packed(rows)])
    assert job.run("prepare") == 1
    assert job.reason("message").startswith("target late before the held-out days: got '0', allowed")


def test_a_sound_table_passes_each_check_and_the_checks_say_so(job: Job) -> None:
    job.deliver([packed(rows_of())])
    job.run("prepare")
    checks = job.json("checks", "checks.json")
    assert checks["passed"]
    assert {"check": "rows", "passed": True, "found": "960", "allowed": "at least 300"} in checks["checks"]
    assert checks["test"]["rows"] == 560
