"""A table that cannot be rehearsed is refused in one sentence, with exit code 2, before anything starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.schema import ROOT
from rehearsal.table.prepare import prepare, question
from rehearsal.table.unusable import Unusable
from tests.table.tables import HEADER, rows, write

Change = Callable[[list[list[str]]], list[list[str]]]


def cell(row: int, column: int, value: str) -> Change:
    def change(body: list[list[str]]) -> list[list[str]]:
        body[row][column] = value
        return body

    return change


def column(position: int, value: Callable[[int], str]) -> Change:
    return lambda body: [[*row[:position], value(i), *row[position + 1 :]] for i, row in enumerate(body)]


@pytest.mark.parametrize(
    "change, target, time, task, sentence",
    [
        (lambda body: body, None, None, None, "TARGET and TIME must name a column of"),
        (lambda body: body, "y", "", None, "TIME must name a column of"),
        (lambda body: body, "price", "when", None, "which table.csv has not; its columns are: when, x, colour, y"),
        (lambda body: body, "y", "date", None, "TIME is 'date', which table.csv has not"),
        (lambda body: body, "y", "y", None, "TARGET and TIME are both 'y'"),
        (lambda body: body, "y", "when", "ranking", "TASK is 'ranking', allowed are binary, multiclass, regression"),
        (lambda body: body[:499], "y", "when", None, "has 499 rows, at least 500 are needed"),
        (column(3, lambda i: "" if i < 1100 else str(i % 2)), "y", "when", None, "has 400 rows with a TARGET"),
        (column(3, lambda i: "1"), "y", "when", None, "TARGET 'y' is '1' in every row"),
        (column(3, lambda i: "1.0" if i % 2 else "1"), "y", "when", None, "needs two classes, or numbers that differ"),
        (column(3, lambda i: "7.5"), "y", "when", "regression", "numbers that differ"),
        (column(3, lambda i: ""), "y", "when", None, "TARGET 'y' is empty in all 1500 rows"),
        (column(3, lambda i: f"c{i % 51:02}"), "y", "when", None, "has 51 classes (c00, c01,"),
        (column(3, lambda i: str(i % 2)), "y", "when", "multiclass", "has 2 classes (0, 1); allowed are 3 to 50"),
        (column(3, lambda i: "abc"[i % 3]), "y", "when", "regression", "has 3 classes (a, b, c), TASK=regr"),
        (column(3, lambda i: "ab"[i % 2]), "y", "when", "regression", "has 2 classes (a, b)"),
        (column(3, lambda i: "abc"[0 if i < 1400 else i % 3]), "y", "when", None, "1 of 3 classes have 10 rows"),
        (column(3, lambda i: str(i)), "y", "when", "binary", "has 1500 different values, TASK=binary needs two"),
        (column(3, lambda i: str(int(i > 1400))), "y", "when", None, "is 0 in all of the first"),
        (cell(617, 0, "yesterday"), "y", "when", None, "TIME 'when': row 618 is 'yesterday', which is no time"),
        (column(0, lambda i: ""), "y", "when", None, "TIME 'when' is empty in all 1500 rows"),
        (column(0, lambda i: f"{i / 100:.2f}"), "y", "when", None, "row 1 is '0.00', which is no time"),
        (lambda body: [[row[0], "1", "red", row[3]] for row in body if True], "y", "when", None, ""),
    ],
)  # fmt: skip
def test_one_sentence_says_what_is_wrong(
    change: Change, target: str | None, time: str | None, task: str | None, sentence: str, tmp_path: Path
) -> None:
    data = write(tmp_path / "table.csv", change(rows()))
    if not sentence:  # two constant columns are no reason to refuse: the time itself says something
        assert set(prepare(question(data, target, time, task)).kinds) == {"hour_of_day", "weekday_of_time"}
        return
    with pytest.raises(Unusable) as refusal:
        prepare(question(data, target, time, task))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"", "is empty; it needs a header line"),
        (b"\n \n", "is empty; it needs a header line"),
        (b"hello world\nno table\n", "is not a CSV file: its first line 'hello world'"),
        (bytes(range(256)) * 9, "binary data"),
        (b"PK\x03\x04 and so on", "a zip archive or an Excel workbook, not a CSV file"),
        (b"\x1f\x8b\x08 and so on", "is a broken gzip file"),
        (b"when,x,y\n", "has 0 rows"),
        (b"when,x,y\n" + b"a,b,c,d,e\n" * 9, "9 of 9 lines have more cells than the 3 of the header"),
        (b'when,x,y\n"never closed' + b"\n1,2,3" * 50_000, "is not a CSV file"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    data = tmp_path / "table.csv"
    data.write_bytes(content)
    with pytest.raises(Unusable) as refusal:
        prepare(question(data, "y", "when", None))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_refused_table_ends_with_code_2_one_line_and_nothing_started(tmp_path: Path) -> None:
    data = write(tmp_path / "a table.csv", rows(20))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rehearsal", "--out", str(out), f"--data={data}", "--target=y"]
    done = subprocess.run([*command, "--time=when"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"make rehearse: {data} has 20 rows, at least 500 are needed\n"
    assert not out.exists()


def test_make_hands_over_a_path_with_spaces_and_quotes_as_it_is() -> None:
    command = [
        "make",
        "--no-print-directory",
        "-n",
        "-o",
        ".venv/ready",
        "rehearse",
        "DATA=it's a table.csv",
        "TARGET=y",
        "TIME=at",
    ]
    line = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = line.replace(".venv/bin/python -m rehearsal", "printf '%s\\n'")
    environment = {"DATA": "it's a table.csv", "TARGET": "y", "TIME": "at"}
    told = subprocess.run(["sh", "-c", shown], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["--data=it's a table.csv", "--target=y", "--time=at", "--task="]


def test_without_data_make_ignores_what_the_environment_calls_time() -> None:
    assert HEADER[0] == "when"
    command = ["make", "--no-print-directory", "-n", "-o", ".venv/ready", "rehearse"]
    line = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    shown = line.replace(".venv/bin/python -m rehearsal", "printf '[%s]'")
    told = subprocess.run(["sh", "-c", shown], env={"TIME": "%e"}, capture_output=True, text=True, check=True)
    assert told.stdout == "[]"
