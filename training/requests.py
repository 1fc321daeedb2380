"""What a request's body says: the model's columns, or the row and column where it is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from training.schema import FLOAT32_MAX, Schema, is_number, number

Columns = dict[str, NDArray[Any]]


class BadRequest(Exception):
    """The caller's mistake, in a sentence; rows count from 1, a header line not among them."""


def read_csv(body: bytes, schema: Schema) -> Columns:
    """Rows in the schema's order, or in that of a first line which names the columns."""
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"the body is no UTF-8 CSV: {error}") from error
    order = _header(rows[0], schema) if rows else None
    rows = rows[1:] if order else rows
    _require_rows(rows)
    width = len(schema.features)
    for i, row in enumerate(rows, 1):
        if len(row) != width and not (width == 1 and not row):
            raise BadRequest(f"row {i} has {len(row)} cells, expected {width}: {','.join(schema.names)}")
    cells = list(zip(*rows, strict=True)) if any(rows) else [("",) * len(rows)]
    by_name = dict(zip(order or schema.names, cells, strict=True))
    return {
        feature.name: _numbers(feature.name, by_name[feature.name])
        if feature.kind == "number"
        else np.array([cell.strip() for cell in by_name[feature.name]], dtype=object)
        for feature in schema.features
    }


def _header(first: list[str], schema: Schema) -> list[str] | None:
    """The names in the first line, or None if it is data (one category may be called like a column)."""
    names = [cell.strip() for cell in first]
    known = set(names) & set(schema.names)
    if known == set(schema.names) and len(names) == len(known):
        return names
    if len(known) > 1:
        raise BadRequest(f"the header names {','.join(names)}, expected each once: {','.join(schema.names)}")
    return None


def _numbers(name: str, cells: Sequence[str]) -> NDArray[Any]:
    try:
        return np.array([number(cell) for cell in cells], dtype=np.float32)
    except ValueError:
        i, cell = next((i, cell) for i, cell in enumerate(cells, 1) if not is_number(cell))
        allowed = "a finite number, or nothing if missing"
        raise BadRequest(f"row {i}, column {name}: got {cell!r}, expected {allowed}") from None


def read_json(body: bytes, schema: Schema) -> Columns:
    """{"instances": [...]}, each an object by name or a list in the schema's order; null is missing."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("instances"), list):
        raise BadRequest('expected {"instances": [...]} with one object or one list a row')
    rows = payload["instances"]
    _require_rows(rows)
    table = [_in_order(i, row, schema) for i, row in enumerate(rows, 1)]
    return {
        feature.name: np.array(
            [_value(i, feature.name, feature.kind, row[column]) for i, row in enumerate(table, 1)],
            dtype=np.float32 if feature.kind == "number" else object,
        )
        for column, feature in enumerate(schema.features)
    }


def _in_order(i: int, row: Any, schema: Schema) -> list[Any]:
    if isinstance(row, list) and len(row) == len(schema.features):
        return row
    if isinstance(row, dict) and row.keys() == set(schema.names):
        return [row[name] for name in schema.names]
    if isinstance(row, dict):
        lacks = ", ".join(name for name in schema.names if name not in row) or "nothing"
        extra = ", ".join(name for name in row if name not in schema.names) or "nothing"
        raise BadRequest(f"row {i} lacks {lacks} and has {extra} too much; send null for what is missing")
    got = f"{len(row)} values" if isinstance(row, list) else repr(row)
    raise BadRequest(f"row {i} has {got}, expected {len(schema.features)}: {','.join(schema.names)}")


def _value(i: int, name: str, kind: str, value: Any) -> float | str:
    if kind == "category":
        if value is None or isinstance(value, str):
            return (value or "").strip()
        raise BadRequest(f"row {i}, column {name}: got {value!r}, expected a string, or null if missing")
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > FLOAT32_MAX:
        raise BadRequest(
            f"row {i}, column {name}: got {value!r}, expected a finite number, or null if missing"
        )
    return float(value)


def _require_rows(rows: Sequence[Any]) -> None:
    if not rows:
        raise BadRequest("the body has no rows, expected at least one")
