"""What a request's body says: the model's table, or the row and column where it is wrong.

Rows are read as a whole, which is fast; only where that fails is each cell looked at, to name the one that is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from training.artefact import NOTHING, Table
from training.npy import NotReadable, read_matrix
from training.schema import FLOAT32_MAX, Schema, number

Row = Sequence[Any]
Pick = Callable[[Row], Row]
NAN = float("nan")
PLAIN = frozenset({float, int, type(None)})
PLAIN_CSV = b"0123456789.,eE+-\n"
A_NUMBER = "expected a finite number, or nothing if missing"
A_JSON_NUMBER = "expected a finite number, or null if missing"


class BadRequest(Exception):
    """The caller's mistake, in a sentence; rows count from 1, a header line not among them."""


class Requests:
    """Reads the bodies of requests for one model; every reader raises BadRequest."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names = schema.names
        self.width = len(schema.features)
        self.known = frozenset(schema.names)
        self.numbers, self.texts = schema.of_kind("number"), schema.of_kind("category")
        self.readers: dict[str, Callable[[bytes], Table]] = {
            "text/csv": self.read_csv,
            "application/json": self.read_json,
            "application/jsonlines": self.read_json_lines,
            "application/x-npy": self.read_npy,
        }
        self._in_order = self._picks(self.names)

    def read_csv(self, body: bytes) -> Table:
        """Rows in the schema's order, or in that of a first line which names the columns."""
        if (plain := self._plain_numbers(body)) is not None:
            return Table(plain, NOTHING)
        try:
            rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadRequest(f"the body is no UTF-8 CSV: {error}") from error
        order = self._header(rows[0]) if rows else None
        rows = rows[1:] if order else rows
        self._require_rows(rows)
        if self.width == 1:
            rows = [row or [""] for row in rows]  # the csv module reads an empty cell alone as no cell
        if set(map(len, rows)) != {self.width}:
            i, row = next((i, row) for i, row in enumerate(rows, 1) if len(row) != self.width)
            raise BadRequest(f"row {i} has {len(row)} cells, expected {self.width}: {','.join(self.names)}")
        return self._table(
            rows, self._picks(order) if order else self._in_order, self._cells_as_numbers, str.strip
        )

    def _picks(self, order: Sequence[str]) -> tuple[Pick | None, Pick | None]:
        return _picker(order, self.numbers), _picker(order, self.texts)

    def _plain_numbers(self, body: bytes) -> NDArray[Any] | None:
        """The numbers of a CSV body that is nothing but numbers, commas and line ends, or None.

        Such a body is nearly JSON, and orjson reads it ten times as fast as float() reads cells. Whatever is not
        plainly one JSON number or nothing a cell, is left to the careful way, which names what is wrong.
        """
        if self.texts or self.width == 1:
            return None
        body = body.replace(b"\r\n", b"\n")
        if body.translate(None, PLAIN_CSV):
            return None
        lines = body.removesuffix(b"\n").split(b"\n")
        commas = self.width - 1
        if any(line.count(b",") != commas for line in lines):
            return None
        joined = b",".join(lines)
        if b",," in joined or joined.startswith(b",") or joined.endswith(b","):
            joined = b",".join([cell or b"null" for cell in joined.split(b",")])
        try:
            read = _float32(orjson.loads(b"[" + joined + b"]"))
        except orjson.JSONDecodeError:
            return None
        if np.count_nonzero(np.isinf(read)):
            return None
        return read.reshape(len(lines), self.width)

    def _header(self, first: Sequence[str]) -> tuple[str, ...] | None:
        """The names in the first line, or None if it is data (one category may be called like a column)."""
        names = tuple(map(str.strip, first))
        if self.known.isdisjoint(names):
            return None
        known = self.known & set(names)
        if known == self.known and len(names) == len(known):
            return names
        if len(known) > 1:
            named = f"the header names {','.join(names)}"
            raise BadRequest(f"{named}, expected each once: {','.join(self.names)}")
        return None

    def _cells_as_numbers(self, cells: list[str]) -> NDArray[Any]:
        try:
            values = _float32([float(cell) if cell else NAN for cell in cells])
        except ValueError:
            return self._cell_by_cell(cells)
        odd = np.flatnonzero(~np.isfinite(values))
        return self._cell_by_cell(cells) if any(cells[i] for i in odd) else values

    def _cell_by_cell(self, cells: Sequence[str]) -> NDArray[Any]:
        values = []
        for i, cell in enumerate(cells):
            try:
                values.append(number(cell))
            except ValueError:
                raise BadRequest(f"{self._place(i)}: got {cell!r}, {A_NUMBER}") from None
        return _float32(values)

    def read_json(self, body: bytes) -> Table:
        """{"instances": [...]}, each an object by name or a list in the schema's order; null is missing."""
        try:
            payload = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"the body is no JSON: {error}") from error
        if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list):
            raise BadRequest('expected {"instances": [...]} with one object or one list a row')
        return self._json_table(payload["instances"])

    def read_json_lines(self, body: bytes) -> Table:
        """A line a row: an object by name, a list in the schema's order, or {"features": [...]} around it."""
        rows: list[Any] = []
        for line in body.split(b"\n"):
            if line.strip():
                try:
                    row = orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise BadRequest(f"row {len(rows) + 1} is no JSON: {error}") from error
                is_wrapped = isinstance(row, dict) and row.keys() == {"features"} != self.known
                rows.append(row["features"] if is_wrapped else row)
        return self._json_table(rows)

    def _json_table(self, rows: list[Any]) -> Table:
        self._require_rows(rows)
        for i, row in enumerate(rows):
            if not (isinstance(row, list) and len(row) == self.width):
                rows[i] = self._ordered(i + 1, row)
        for place, name in enumerate(self.names):
            if name in self.texts:
                for i, row in enumerate(rows, 1):
                    if not isinstance(row[place], str | None):
                        got = f"row {i}, column {name}: got {row[place]!r}"
                        raise BadRequest(f"{got}, expected a string, or null if missing")
        return self._table(rows, self._in_order, self._values_as_numbers, _text)

    def _ordered(self, i: int, row: Any) -> list[Any]:
        if isinstance(row, dict) and row.keys() == self.known:
            return [row[name] for name in self.names]
        if isinstance(row, dict):
            lacks = ", ".join(name for name in self.names if name not in row) or "nothing"
            extra = ", ".join(name for name in row if name not in self.known) or "nothing"
            raise BadRequest(f"row {i} lacks {lacks} and has {extra} too much; send null for what is missing")
        got = f"{len(row)} values" if isinstance(row, list) else repr(row)
        raise BadRequest(f"row {i} has {got}, expected {self.width}: {','.join(self.names)}")

    def _values_as_numbers(self, values: list[Any]) -> NDArray[Any]:
        wrong = -1
        if not PLAIN.issuperset(map(type, values)):
            wrong = next(i for i, value in enumerate(values) if type(value) not in PLAIN)
        else:
            read = _float32(values)
            odd = np.flatnonzero(~np.isfinite(read))
            wrong = next((int(i) for i in odd if values[i] is not None), -1)
        if wrong >= 0:
            raise BadRequest(f"{self._place(wrong)}: got {values[wrong]!r}, {A_JSON_NUMBER}")
        return read

    def read_npy(self, body: bytes) -> Table:
        """A matrix of numbers, a row a row, in the schema's order; NaN is missing. Texts have no place in it."""
        if self.texts:
            what = f"application/x-npy carries numbers, and {','.join(self.texts)} are texts"
            raise BadRequest(f"{what}; send CSV or JSON")
        try:
            read = read_matrix(body)
        except NotReadable as error:
            raise BadRequest(str(error)) from None
        if read.shape[1] != self.width:
            got = f"the array has {read.shape[1]} columns"
            raise BadRequest(f"{got}, expected {self.width}: {','.join(self.names)}")
        self._require_rows(read)
        too_large = np.flatnonzero(~(np.isnan(read) | (np.abs(read) <= FLOAT32_MAX)))
        if too_large.size:
            got = f"{self._place(int(too_large[0]))}: got {read.flat[too_large[0]]}"
            raise BadRequest(f"{got}, expected a finite number, or NaN if missing")
        return Table(read.astype(np.float32), NOTHING)

    def _table(
        self,
        rows: Sequence[Row],
        picks: tuple[Pick | None, Pick | None],
        as_numbers: Callable[[list[Any]], NDArray[Any]],
        as_text: Callable[[Any], str],
    ) -> Table:
        pick_numbers, pick_texts = picks
        numbers = texts = NOTHING
        if pick_numbers:
            cells = list(chain.from_iterable(map(pick_numbers, rows)))
            numbers = as_numbers(cells).reshape(len(rows), -1)
        if pick_texts:
            read = list(map(as_text, chain.from_iterable(map(pick_texts, rows))))
            texts = np.array(read, dtype=object).reshape(len(rows), -1)
        return Table(numbers, texts)

    def _place(self, i: int) -> str:
        """Where the i-th of all numbers stands, row by row."""
        row, column = divmod(i, len(self.numbers))
        return f"row {row + 1}, column {self.numbers[column]}"

    def _require_rows(self, rows: Sequence[Any] | NDArray[Any]) -> None:
        if not len(rows):
            raise BadRequest("the body has no rows, expected at least one")


def _picker(order: Sequence[str], wanted: Sequence[str]) -> Pick | None:
    """What takes the wanted columns out of a row in that order; None if there are none."""
    places = [order.index(name) for name in wanted]
    if not places:
        return None
    if places == list(range(len(order))):
        return _whole
    return itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)


def _whole(row: Row) -> Row:
    return row


def _float32(values: list[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is then named
        return np.array(values, dtype=np.float32)


def _text(value: str | None) -> str:
    return (value or "").strip()
