"""What is made of strangers' columns, times, targets and files."""

from __future__ import annotations

import csv
import gzip
import io
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from rehearsal.table import cells, features, pace, reading, target, times
from rehearsal.table.prepare import TIME, Prepared, Question, prepare
from rehearsal.table.unusable import Unusable
from rehearsal.table.workspace import model_py
from tests.table.tables import HEADER, START, hourly, rows, write
from training.schema import is_number


def table(tmp_path: Path, body: list[list[str]], header: list[str] | None = None) -> Prepared:
    data = write(tmp_path / "table.csv", body, header=header or HEADER)
    return prepare(Question(data, "y", "when"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_table_reads_the_same_in_every_dialect(
    delimiter: str, encoding: str, packed: bool, tmp_path: Path
) -> None:
    body = [["Zürich", "1,5; or\tso|on"], ["Genève", "a\nb"]] * 3
    path = write(tmp_path / "t", body, header=["città", "note"], delimiter=delimiter, encoding=encoding)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    found = reading.read(path)
    assert list(found.cells.columns) == ["città", "note"]
    assert found.cells.to_numpy().tolist() == body


def test_names_that_are_empty_or_twice_there_become_different_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "t", [["1", "2", "3", "4"]], header=["", "a", "a", "a_2"])
    assert list(reading.read(path).cells.columns) == ["column_1", "a", "a_2", "a_2_2"]


def test_row_names_without_a_header_get_one_and_short_rows_are_filled(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("a,b\n1,2,3\n4,5,6\n7,8\n")
    found = reading.read(path).cells
    assert list(found.columns) == ["row", "a", "b"]
    assert found.to_numpy().tolist() == [["1", "2", "3"], ["4", "5", "6"], ["7", "8", ""]]


@pytest.mark.parametrize(
    "texts, values",
    [
        (["1", " 2.5", "-3e2", "NA", "?"], [1, 2.5, -300, math.nan, math.nan]),
        (["1,234", "$5", "1,234,567.5"], [1234, 5, 1234567.5]),
        (["0,5", "12,25", "1.234,5"], [0.5, 12.25, 1234.5]),
        (["45%", "7 %"], [45, 7]),
        (["inf", "1e39", "5"], [math.nan, math.nan, 5]),
    ],
)
def test_a_number_is_one_in_whatever_notation(texts: list[str], values: list[float]) -> None:
    column = pd.Series(texts, dtype=str).str.strip()
    found = cells.numbers(column)
    if "1e39" in texts:  # what float32 cannot hold is no number; here it is too much of the column
        assert found is None
        return
    assert found is not None
    np.testing.assert_array_equal(found, values)


def test_a_comma_is_decimal_where_the_semicolon_parts_cells() -> None:
    column = pd.Series(["1,234", "5,678"])
    assert cells.numbers(column).tolist() == [1234, 5678]  # type: ignore[union-attr]
    assert cells.numbers(column, decimal_comma=True).tolist() == [1.234, 5.678]  # type: ignore[union-attr]


MOMENT = datetime(2024, 3, 25, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2024-03-25T14:30:00Z",
            "2024-03-25 14:30:00",
            "2024-03-25T16:30:00+02:00",
            "2024-03-25 14:30:00 UTC",
        ),
        *("25.03.2024 14:30", "25/03/2024 14:30", "03/25/2024 2:30 PM", "25-Mar-2024 14:30:00"),
        *("Mon, 25 Mar 2024 14:30:00 GMT", "March 25, 2024 14:30", "202403251430", "2024/03/25 14:30"),
        *("1711377000", "1711377000000", "1711377000.0", "2024-03-25 14:30:00.000000"),
    ],
)
def test_a_time_is_one_in_whatever_notation(text: str) -> None:
    assert times.required(pd.Series([text] * 3, dtype=str), "t").tolist() == [MOMENT] * 3


@pytest.mark.parametrize("layout", ["%d/%m/%Y", "%m/%d/%Y"])
def test_day_and_month_are_told_apart_by_the_order_of_the_rows(layout: str) -> None:
    days = [START + timedelta(days=n) for n in range(12)]
    column = pd.Series([day.strftime(layout) for day in days], dtype=str)
    assert times.required(column, "t").tolist() == days


def test_rows_are_ordered_by_their_utc_time_whatever_their_zone(tmp_path: Path) -> None:
    body = rows()
    for i in range(0, len(body), 2):
        at = datetime.fromisoformat(body[i][0]) + timedelta(hours=2)
        body[i][0] = f"{at:%Y-%m-%dT%H:%M:%S}+02:00"
    assert table(tmp_path, body[::-1]).rows[TIME].tolist() == hourly(1500)


@pytest.mark.parametrize(
    "texts, task, ones",
    [
        (["yes", "no", "no"], "binary", "100"),
        (["churned", "stays", "stays"], "binary", "100"),
        (["1", "2", "2"], "binary", "011"),
        (["-1", "1", ""], "binary", "01"),
        (["False", "True", "True"], "binary", "011"),
        (["1.5", "2", "7"], "regression", ""),
    ],
)
def test_a_target_is_what_its_values_look_like(texts: list[str], task: str, ones: str) -> None:
    found = target.infer(pd.Series(texts, dtype=str), "y", None)
    assert found.task == task
    assert not ones or "".join(found.values) == ones


def test_more_than_two_texts_are_classes_and_so_are_whole_numbers_if_somebody_says_so() -> None:
    found = target.infer(pd.Series(["c", "a", "", " b"], dtype=str), "y", None)
    assert (found.task, found.values.tolist()) == ("multiclass", ["c", "a", "", "b"])
    found = target.infer(pd.Series(["3", "1.0", "2", "1", ""], dtype=str), "y", "multiclass")
    assert found.values.tolist() == ["3", "1", "2", "1", ""]


def test_classes_too_rare_to_learn_are_left_out_and_a_copy_of_the_class_too(tmp_path: Path) -> None:
    body = [[*row[:3], "rare" if i % 400 == 5 else "xyz"[i % 3]] for i, row in enumerate(rows())]
    prepared = table(tmp_path, [[*row, row[3].upper()] for row in body], [*HEADER, "again"])
    assert (prepared.task, prepared.classes) == ("multiclass", ("x", "y", "z"))
    assert len(prepared.rows) == 1496
    assert any("4 rows left out, of classes with fewer than 10 rows" in note for note in prepared.notes)
    assert "again" not in prepared.kinds
    assert 'CLASSES = ["x", "y", "z"]' in model_py(prepared)


def test_two_numbers_are_a_regression_if_somebody_says_so() -> None:
    assert target.infer(pd.Series(["0", "10"], dtype=str), "y", "regression").task == "regression"


def test_a_target_too_small_for_millionths_is_multiplied_and_it_is_said() -> None:
    found = target.infer(pd.Series(["0.0001", "0.0002", "0.0004"], dtype=str), "y", None)
    assert found.values.tolist() == ["0.1", "0.2", "0.4"]
    assert "multiplied by 1000" in found.notes[1]


def judged(**columns: list[str]) -> dict[str, features.Column]:
    frame = pd.DataFrame(columns, dtype=str)
    when = pd.Series([pd.Timestamp(START) + pd.Timedelta(hours=n) for n in range(len(frame))])
    return {c.source: c for c in features.infer(frame, when=when, first_rows=len(frame) // 2, target="y")}


@pytest.mark.parametrize(
    "values, kind, why",
    [
        ([str(i * 7 % 13) for i in range(100)], "number", "number"),
        (["yes" if i % 3 else "no" for i in range(100)], "number", "yes or no"),
        ([f"c{i % 7}" for i in range(100)], "category", "7 categories"),
        ([f"c{i}" for i in range(100)], "", "text with 100 different values in 100 rows"),
        ([str(1000 + i) for i in range(100)], "", "a row number or an id"),
        (["same"] * 100, "", "'same' in every row"),
        (["" if i % 3 else "5" for i in range(100)], "", "missing in"),
        (["" if i > 60 else str(i % 5) for i in range(100)], "number", "number"),
        (["2020-01-05" if i % 2 else "2021-07-01" for i in range(100)], "number", "days before"),
        (["2030-01-05" if i % 2 else "2031-07-01" for i in range(100)], "", "after the row's own time"),
    ],
)  # fmt: skip
def test_a_column_is_judged_with_a_reason(values: list[str], kind: str, why: str) -> None:
    column = judged(a=values)["a"]
    assert column.kind == kind
    assert why in column.why


def test_a_copy_of_the_target_in_other_words_is_left_out(tmp_path: Path) -> None:
    body = [[*row, "won" if row[3] == "1" else "lost"] for row in rows()]
    prepared = table(tmp_path, body, [*HEADER, "result"])
    assert "result" not in prepared.kinds
    assert "a copy of the target" in str(prepared.columns)


def test_names_that_onnx_or_the_snapshot_uses_itself_are_changed() -> None:
    found = judged(**{name: [str(i % 5) for i in range(50)] for name in ("label", "_x", "event_time", "Ä")})
    assert [found[name].name for name in ("label", "_x", "event_time", "Ä")] == [
        "label_2", "x", "event_time_2", "column_4",
    ]  # fmt: skip


@pytest.mark.parametrize("step", [timedelta(seconds=1), timedelta(days=31), timedelta(days=900)])
def test_times_that_cannot_be_lived_through_are_spread_evenly_in_their_order(step: timedelta) -> None:
    stamps = pd.Series(
        pd.to_datetime([datetime(1800, 1, 1, tzinfo=UTC) + i * step for i in range(600)], utc=True)
    )
    played = pace.pace(stamps)
    assert "spread evenly" in played.note
    assert (played.first_played, played.days) == (360, 60)
    assert played.times.is_monotonic_increasing
    assert played.times.iloc[played.first_played] == played.start


@pytest.mark.parametrize("step", [timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)])
def test_times_that_can_be_lived_through_stay_as_they_are(step: timedelta) -> None:
    stamps = pd.Series(
        pd.to_datetime([START + i * step for i in range(9000 if step.seconds else 600)], utc=True)
    )
    played = pace.pace(stamps)
    assert played.times is stamps
    assert 21 <= played.days <= 90
    assert played.first_played >= 0.6 * len(stamps)


def test_the_model_file_that_is_written_says_what_was_inferred(tmp_path: Path) -> None:
    body = [[row[0], row[1], row[2], row[3]] for row in rows()]
    source = model_py(table(tmp_path, body, ["when", '"""\\x', "colour", "y"]))
    known: dict[str, object] = {}
    exec(compile(source, "model.py", "exec"), known)
    assert (known["TASK"], known["TARGET"], known["TIME"]) == ("binary", "y", "event_time")
    assert list(known["FEATURES"].values())[:2] == ["number", "category"]  # type: ignore[attr-defined]


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
WILD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", "NA", "1", "-2.5", "1,5", "yes", "no", "2024-01-05", "inf", "=1+1", "1e400", "'", '"']
)


@settings(
    max_examples=25,
    deadline=None,
    phases=NO_SHRINKING,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    names=st.lists(WILD, min_size=1, max_size=4),
    pool=st.lists(st.lists(WILD, min_size=4, max_size=4), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
)
@example(names=["event_time"], pool=[["1", "", "", ""], ["2", "", "", ""]], delimiter=";")
def test_whatever_the_columns_hold_it_is_a_playable_table_or_one_sentence(
    names: list[str], pool: list[list[str]], delimiter: str, tmp_path: Path
) -> None:
    body = [[time, str(i % 7), *(pool[i % len(pool)][: len(names)])] for i, time in enumerate(hourly(1600))]
    data = write(tmp_path / "wild.csv", body, header=["when", "answer", *names], delimiter=delimiter)
    try:
        prepared = prepare(Question(data, "answer", "when"))
    except Unusable:
        return
    assert prepared.rows[TIME].is_monotonic_increasing
    assert prepared.history[prepared.target].nunique() > 1
    for name, kind in prepared.kinds.items():
        assert name.isascii()
        assert name.replace("_", "").isalnum()
        assert not name.startswith("_")
        assert kind == "category" or all(map(is_number, prepared.rows[name]))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(prepared.rows.to_numpy().tolist())
    assert (
        list(csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True))
        == prepared.rows.to_numpy().tolist()
    )
