"""From a file to a table of text: gzip or plain, any common encoding and delimiter, ragged lines told apart."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from rehearsal.table.unusable import Unusable

DELIMITERS = ",;\t|"
SNIFFED_LINES = 200
MAX_RAGGED_SHARE = 0.01
OTHERS = {b"PK": "a zip archive or an Excel workbook", b"PAR1": "a Parquet file", b"BZh": "a bzip2 file"}
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Table:
    """Every cell as stripped text, under names that are all different; `notes` say what was made of the file."""

    cells: pd.DataFrame
    delimiter: str
    notes: tuple[str, ...] = ()


def read(path: Path) -> Table:
    """The table in a CSV file, or Unusable."""
    text = _decoded(path, _content(path))
    delimiter = _delimiter(path, text)
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise Unusable(f"{path} is not a CSV file: {error}; quote cells that hold line breaks") from None
    header, *rows = [row for row in rows if any(row)]
    notes = []
    if rows and len(header) > 1 and sum(len(row) == len(header) + 1 for row in rows) > len(rows) / 2:
        header = ["row", *header]
        notes.append("the header lacks a name for the first column; it is called row")
    names = _names(header)
    fitting = [fitted for row in rows if (fitted := _fit(row, len(names))) is not None]
    if ragged := len(rows) - len(fitting):
        if ragged > MAX_RAGGED_SHARE * len(rows):
            raise Unusable(
                f"{path}: {ragged} of {len(rows)} lines have more cells than the {len(names)} of the header; "
                f"got delimiter {delimiter!r}, is it the right one?"
            )
        notes.append(f"{ragged} lines with more cells than the header has are left out")
    return Table(pd.DataFrame(fitting, columns=names, dtype=str), delimiter, tuple(notes))


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise Unusable(f"{path} is a folder; give one CSV file, plain or gzipped") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise Unusable(f"{path}: {reason}; give the path of a CSV file") from None
    if raw.startswith(b"\x1f\x8b"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise Unusable(f"{path} is a broken gzip file: {error}") from None
    for magic, kind in OTHERS.items():
        if raw.startswith(magic):
            raise Unusable(f"{path} is {kind}, not a CSV file; export it as CSV, plain or gzipped")
    return raw


def _decoded(path: Path, raw: bytes) -> str:
    if not raw.strip():
        raise Unusable(f"{path} is empty; it needs a header line and at least 500 rows")
    encodings = [name for mark, name in BYTE_ORDER_MARKS.items() if raw.startswith(mark)] or [
        "utf-8",
        "cp1252",
    ]
    for encoding in (*encodings, "latin-1"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Unusable(f"{path} is not a CSV file but binary data; export the table as CSV, plain or gzipped")


def _delimiter(path: Path, text: str) -> str:
    """The one by which most lines have as many cells as the first, at least two."""
    best, best_score = "", (0.0, 0)
    for delimiter in DELIMITERS:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            widths = [len(row) for row in islice(lines, SNIFFED_LINES) if any(cell.strip() for cell in row)]
        except csv.Error:
            continue
        if not widths or max(widths) < 2:
            continue
        width, lines_so = Counter(widths[1:] or widths).most_common(1)[0]
        if width > 1 and widths[0] > 1 and (score := (lines_so / len(widths), width)) > best_score:
            best, best_score = delimiter, score
    if not best:
        first = text.strip().splitlines()[0][:60]
        raise Unusable(
            f"{path} is not a CSV file: its first line {first!r} has no two columns by comma, semicolon, tab or bar"
        )
    return best


def _names(header: list[str]) -> list[str]:
    names: list[str] = []
    for i, name in enumerate(header, 1):
        wanted = name or f"column_{i}"
        candidate, n = wanted, 2
        while candidate in names:
            candidate, n = f"{wanted}_{n}", n + 1
        names.append(candidate)
    return names


def _fit(row: list[str], width: int) -> list[str] | None:
    """The row in the header's width; None if it says more than the header has names for."""
    if any(row[width:]):
        return None
    return row[:width] + [""] * (width - len(row))
