"""Columns that know too much: a feature that predicts alone, or whose gaps do, was likely written after the fact."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import tables
from training.schema import Feature

MAX_ROWS = 20_000
"""More rows tell no more about a leak; every nth is taken, so that the answer is the same each time."""
MAX_BINS, ROWS_A_BIN = 256, 10
Codes = NDArray[np.int64]
Vector = NDArray[np.float64]


def skill_alone(codes: Codes, truth: Vector) -> float:
    """Share of the variance of [rows, values] that the means by code explain: learned on even rows, asked on odd ones.

    Below 0 where the means are noise; 0 where the values do not vary.
    """
    learn, ask = slice(0, None, 2), slice(1, None, 2)
    size = int(codes.max(initial=0)) + 1
    counts = np.bincount(codes[learn], minlength=size)
    left = nothing = 0.0
    for values in truth.T:
        sums = np.bincount(codes[learn], weights=values[learn], minlength=size)
        overall = float(values[learn].mean())
        means = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
        left += float(np.mean((values[ask] - means[codes[ask]]) ** 2))
        nothing += float(np.mean((values[ask] - overall) ** 2))
    return 1.0 - left / nothing if nothing else 0.0


def skills(table: pd.DataFrame, feature: Feature, truth: Vector) -> tuple[float, float]:
    """What the feature explains alone, and what its gaps do; `truth` is that of the table's rows, [rows, values]."""
    step = -(-len(table) // MAX_ROWS)
    cells, asked = table[feature.name].iloc[::step], truth[::step]
    codes = _number_codes(tables.numbers(cells)) if feature.kind == "number" else pd.factorize(cells)[0]
    gaps = (tables.by_value(cells, str.strip) == "").astype(np.int64)
    return skill_alone(codes.astype(np.int64), asked), skill_alone(gaps, asked) if gaps.any() else 0.0


def _number_codes(values: Vector) -> Codes:
    """Bins of about as many rows each; 0 is missing."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), dtype=np.int64)
    bins = max(2, min(MAX_BINS, len(known) // ROWS_A_BIN))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
    codes = np.searchsorted(edges, values, side="left").astype(np.int64) + 1
    codes[np.isnan(values)] = 0
    return codes
