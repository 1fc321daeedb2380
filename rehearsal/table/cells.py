"""What the text of a column means: missing, a number in whatever notation, yes or no."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING = frozenset(
    (
        *("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "nat", "missing"),
        *("?", "-", "--", ".", "inf", "-inf", "+inf"),
    )
)
WORDS = {
    **dict.fromkeys(("true", "yes", "y", "t", "on"), 1),
    **dict.fromkeys(("false", "no", "n", "f", "off"), 0),
}
FLOAT32_MAX = 3.4028234e38
MIN_READABLE_SHARE = 0.98
"""A column is of a kind if so many of its cells are; the others then count as missing."""
DIGITS = 6
"""Significant digits that are kept: fewer than float32 has, so that scikit-learn and ONNX split alike."""
DECORATION = re.compile(r"[\s\u00a0%$€£¥]")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
DECIMAL_COMMA = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+")

Numbers = NDArray[np.float64]


def present(column: pd.Series) -> pd.Series:
    """Which cells hold something."""
    return ~column.str.lower().isin(MISSING)


def numbers(column: pd.Series, *, decimal_comma: bool = False) -> Numbers | None:
    """The column's numbers, NaN where missing; None if it is no column of numbers.

    1,234 may be either; `decimal_comma` says which is tried first.
    """
    there = present(column)
    if not there.any():
        return None
    plain = _floats(column)
    if _readable(plain, there):
        return plain
    bare = column.str.replace(DECORATION, "", regex=True)
    notations = (_continental, _anglo) if decimal_comma else (_anglo, _continental)
    readings = (_floats(bare), *(_floats(notation(bare)) for notation in notations))
    return next((values for values in readings if _readable(values, there)), None)


def _floats(column: pd.Series) -> Numbers:
    values = pd.to_numeric(column.where(~column.str.contains("_"), ""), errors="coerce").to_numpy(np.float64)
    result: Numbers = np.where(np.abs(values) <= FLOAT32_MAX, values, np.nan)
    return result


def _anglo(column: pd.Series) -> pd.Series:
    return column.where(~column.str.fullmatch(THOUSANDS), column.str.replace(",", ""))


def _continental(column: pd.Series) -> pd.Series:
    swapped = column.str.replace(".", "").str.replace(",", ".")
    return column.where(~column.str.fullmatch(DECIMAL_COMMA), swapped)


def _readable(values: Numbers, there: pd.Series) -> bool:
    return bool(np.isfinite(values[there.to_numpy()]).mean() >= MIN_READABLE_SHARE)


def truths(column: pd.Series) -> Numbers | None:
    """1 and 0 for yes and no in their usual words; None if the column says anything else."""
    lower = column.str.lower()
    there = present(column)
    if not there.any() or not lower[there].isin(list(WORDS)).all():
        return None
    values: Numbers = lower.map(WORDS).to_numpy(np.float64)
    return values


def number_text(value: float, digits: int = DIGITS) -> str:
    """A number as a cell; nothing for NaN.

    >>> number_text(3.0), number_text(1234567.0), number_text(float("nan"))
    ('3', '1.23457e+06', '')
    """
    return "" if math.isnan(value) else f"{value:.{digits}g}"


NOT_IN_A_CELL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\s]+")
LONGEST_CATEGORY = 80


def category_text(column: pd.Series) -> pd.Series:
    """Categories that any CSV reader gives back as they are; "" where missing."""
    plain = column.str.replace(NOT_IN_A_CELL, " ", regex=True).str.strip().str.slice(0, LONGEST_CATEGORY)
    return plain.where(present(column), "").str.strip()
