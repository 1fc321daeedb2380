"""Training tables as text in, typed columns out; written so that the same rows give the same bytes."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.schema import Schema, is_number, number


def read(source: Path | bytes) -> pd.DataFrame:
    """A csv.gz of which every cell is text; an empty cell is ""."""
    raw = source if isinstance(source, bytes) else source.read_bytes()
    with gzip.open(io.BytesIO(raw), "rt", encoding="utf-8", newline="") as text:
        return pd.read_csv(text, dtype=str, keep_default_na=False)


def write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode(), compresslevel=1, mtime=0))


def times(table: pd.DataFrame, schema: Schema) -> pd.Series:
    """UTC times; NaT where the text is none."""
    return pd.to_datetime(table[schema.time], utc=True, format="ISO8601", errors="coerce")


def days(table: pd.DataFrame, schema: Schema) -> list[str]:
    """The UTC day of each row, YYYY-MM-DD."""
    moments = times(table, schema).dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    each, codes = np.unique(moments, return_inverse=True)
    return [str(day) for day in np.datetime_as_string(each)[codes]]


def numbers(cells: pd.Series) -> NDArray[np.float64]:
    """Every cell as a number, NaN where missing or not a number (the checks count those)."""
    values = by_value(cells, lambda cell: number(cell) if is_number(cell) else np.nan)
    return values.astype(np.float64)


def by_value(cells: pd.Series, of: Callable[[str], Any]) -> NDArray[Any]:
    """`of` each cell, asked once for each different text: most tables say the same few things over and over."""
    codes, texts = pd.factorize(cells)
    answers = np.array([of(text) for text in texts], dtype=object)
    return np.asarray(answers[codes])


def features(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """What the estimator sees: float32 and str columns, in the schema's order."""
    return pd.DataFrame(
        {
            feature.name: numbers(table[feature.name]).astype(np.float32)
            if feature.kind == "number"
            else by_value(table[feature.name], str.strip)
            for feature in schema.features
        }
    )


def targets(table: pd.DataFrame, schema: Schema) -> NDArray[np.float64]:
    """Each row's number; of a multiclass task the place of its class, NaN where it is none."""
    if schema.task != "multiclass":
        return numbers(table[schema.target])
    places = {name: place for place, name in enumerate(schema.classes)}
    found = by_value(table[schema.target], lambda cell: places.get(cell.strip(), np.nan))
    return np.asarray(found, dtype=np.float64)


def truth(targets: NDArray[np.float64], schema: Schema) -> NDArray[np.float64]:
    """What a perfect answer would be, [rows, values]: the number itself, or 1 for the class that came."""
    if schema.task != "multiclass":
        return targets[:, None]
    return np.asarray(targets[:, None] == np.arange(len(schema.classes)), dtype=np.float64)
