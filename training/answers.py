"""Predictions as the caller wants them: CSV, JSON or JSON Lines; and refusals, in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
PLAIN_TEXT = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes
    retry_after_seconds: int | None = None


def refuse(status: int, reason: str, retry_after_seconds: int | None = None) -> Answer:
    return Answer(status, PLAIN_TEXT, (reason + "\n").encode(), retry_after_seconds)


def media_type(header: bytes) -> str:
    return header.split(b";")[0].strip().lower().decode("latin-1")


def accepts(header: bytes) -> str | None:
    """The first type of the Accept header that we can write; CSV where the caller does not mind."""
    if header in (b"", b"*/*"):
        return CSV
    for one in map(media_type, header.split(b",")):
        if one in ("*/*", ""):
            return CSV
        if one in WRITERS:
            return one
    return None


Predictions = list[float] | list[list[float]]
"""One number a row, or one a class for each row."""


def _csv(predictions: Predictions, _: dict[str, Any]) -> bytes:
    text = orjson.dumps(predictions)[1:-1]
    if text.startswith(b"["):
        return text[1:-1].replace(b"],[", b"\n") + b"\n"
    return text.replace(b",", b"\n") + b"\n"


def _json(predictions: Predictions, named: dict[str, Any]) -> bytes:
    return orjson.dumps({**named, "predictions": predictions})


def _json_lines(predictions: Predictions, named: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps({"prediction": one, **named}) + b"\n" for one in predictions)


WRITERS: dict[str, Callable[[Predictions, dict[str, Any]], bytes]] = {
    CSV: _csv,
    JSON: _json,
    JSON_LINES: _json_lines,
}
"""Each takes the rows' predictions and what is said beside them: the model, and its classes."""
