"""SageMaker's data capture and ground truth files, line by line: what cannot be read is counted, never fatal."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from domain.events import utc
from domain.npy import rows_of_npy

T = TypeVar("T")
Answered = float | tuple[float, ...]
"""The prediction of one row: a number, or the probability of each class."""

NOT_IN_A_TABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
MODEL_STAMP, RELEASE_STAMP, DIGEST_STAMP = "tideline-model=", "tideline-release=", "tideline-digest="
LONGEST_CELL = 100_000
"""Below the csv module's limit of 131,072 characters, so that what is written can be read again."""


@dataclass(frozen=True)
class Exchange:
    """One captured request: its rows as text in column order, and what the model answered for each."""

    inference_id: str
    at: datetime
    rows: tuple[tuple[str, ...], ...]
    predictions: tuple[Answered, ...]
    model: str


@dataclass(frozen=True)
class Truth:
    """The labels of one request, one a row of it, as text; empty where a label is not known."""

    inference_id: str
    labels: tuple[str, ...]


def stamp(model: str, release: str, digest: str) -> str:
    """What the server writes on each answer, as SageMaker's custom attributes: who gave it.

    >>> stamp("arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7", "000042", "9f86d081884c7d65")
    'tideline-release=000042;tideline-digest=9f86d081884c7d65;tideline-model=arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7'
    """
    return f"{RELEASE_STAMP}{release};{DIGEST_STAMP}{digest};{MODEL_STAMP}{model}"


def _stamped_model(attributes: Sequence[str]) -> str:
    """The model on the last stamp among the attributes of a captured request and its answer."""
    parts = [part for attribute in attributes for part in attribute.split(";")]
    named = [part.removeprefix(MODEL_STAMP) for part in parts if part.startswith(MODEL_STAMP)]
    return named[-1] if named else ""


KINDS = {"application/json": "json", "application/jsonlines": "jsonlines", "application/x-npy": "npy"}
"""What a body is by its content type; anything else is CSV."""


def _payload(side: dict[str, Any]) -> tuple[bytes, str]:
    """The body, and its kind."""
    data, encoding = side["data"], side["encoding"]
    body = base64.b64decode(data, validate=True) if encoding == "BASE64" else data.encode()
    content_type = side.get("observedContentType", "").split(";")[0].strip().lower()
    return body, KINDS.get(content_type, "json" if encoding == "JSON" else "csv")


def _text(body: bytes) -> str:
    return body.decode().removeprefix("\ufeff")


def _csv_rows(body: bytes, columns: Sequence[str]) -> list[tuple[str, ...]]:
    table = csv.reader(io.StringIO(_text(body), newline=""), strict=True)
    rows = [tuple(cell.strip() for cell in row) for row in table if row]
    if rows and sorted(rows[0]) == sorted(columns):
        order = [rows[0].index(column) for column in columns]
        rows = [tuple(row[i] for i in order) for row in rows[1:]]
    return rows


def _cell(value: object) -> str:
    return "" if value is None else str(value).strip()


def _json_rows(body: bytes, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return [_row(one, columns) for one in json.loads(_text(body))["instances"]]


def _json_line_rows(body: bytes, columns: Sequence[str]) -> list[tuple[str, ...]]:
    rows = [json.loads(line) for line in _text(body).split("\n") if line.strip()]
    wrapped = [isinstance(one, dict) and one.keys() == {"features"} != set(columns) for one in rows]
    return [_row(one["features"] if is_ else one, columns) for one, is_ in zip(rows, wrapped, strict=True)]


def _row(one: object, columns: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(one, dict | list):
        raise TypeError(f"a row is {type(one).__name__}; allowed: an object by name, or a list")
    return tuple(_cell(value) for value in ([one[c] for c in columns] if isinstance(one, dict) else one))


def _npy_rows(body: bytes, _: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple("" if value != value else str(value) for value in row) for row in rows_of_npy(body)]


ROWS = {"csv": _csv_rows, "json": _json_rows, "jsonlines": _json_line_rows, "npy": _npy_rows}


def _predictions(body: bytes, kind: str) -> tuple[list[Answered], str]:
    if kind == "json":
        answer = json.loads(body)
        return [_answered(p) for p in answer["predictions"]], str(answer.get("model", ""))
    if kind == "jsonlines":
        lines = [json.loads(line) for line in body.split(b"\n") if line]
        return [_answered(line["prediction"]) for line in lines], str(lines[0]["model"])
    return [_answered(line.split(b",") if b"," in line else line) for line in body.split()], ""


def _answered(value: Any) -> Answered:
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


def _is_finite(answered: Answered) -> bool:
    return all(map(math.isfinite, answered)) if isinstance(answered, tuple) else math.isfinite(answered)


def _exchange(line: str, columns: Sequence[str]) -> Exchange:
    raw = json.loads(line)
    sides, meta = raw["captureData"], raw["eventMetadata"]
    body, kind = _payload(sides["endpointInput"])
    rows = ROWS[kind](body, columns)
    predictions, named = _predictions(*_payload(sides["endpointOutput"]))
    attributes = meta.get("customAttributes") or ()
    model = named or _stamped_model([attributes] if isinstance(attributes, str) else attributes)
    if len(rows) != len(predictions) or any(len(row) != len(columns) for row in rows):
        raise ValueError(
            f"{len(rows)} rows of {len(columns)} columns do not match {len(predictions)} predictions"
        )
    if not all(map(_is_finite, predictions)):
        raise ValueError("a prediction is not a finite number")
    name = str(meta.get("inferenceId") or meta["eventId"])
    for text in (name, model, *(cell for row in rows for cell in row)):
        if len(text) > LONGEST_CELL or NOT_IN_A_TABLE.search(text):
            raise ValueError("a cell holds control characters or is too long for a table")
    return Exchange(name, utc(meta["inferenceTime"]), tuple(rows), tuple(predictions), model)


def _truth(line: str) -> Truth:
    raw = json.loads(line)
    data = raw["groundTruthData"]["data"]
    return Truth(str(raw["eventMetadata"]["eventId"]), tuple(cell.strip() for cell in str(data).split("\n")))


UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    SyntaxError,
    MemoryError,
    csv.Error,
    struct.error,
)
"""All that a line of junk can make the readers above raise."""


def _lines(text: str, parse: Callable[[str], T]) -> tuple[list[T], int]:
    read: list[T] = []
    skipped = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            read.append(parse(line))
        except UNREADABLE:
            skipped += 1
    return read, skipped


def parse_capture(text: str, columns: Sequence[str]) -> tuple[list[Exchange], int]:
    """The exchanges of one capture file and how many lines could not be read.

    `columns` are the model's features in its own order; a body may name them in a first line instead.
    """
    return _lines(text, lambda line: _exchange(line, columns))


def parse_labels(text: str) -> tuple[list[Truth], int]:
    """The labels of one ground truth file and how many lines could not be read."""
    return _lines(text, _truth)
