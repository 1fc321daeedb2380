"""Days drawn with replacement: rows of one day share their weather and their news, so that days are drawn, not rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Days = NDArray[np.int64]
MIN_DAYS = 5
"""On fewer days nothing can be said of how sure a metric is."""
LEVEL = 0.95


def numbered(days: Sequence[str]) -> Days:
    """0, 1, ... for the days in their order, a number a row."""
    return np.unique(np.asarray(days), return_inverse=True)[1].astype(np.int64)


def draws(days: int, resamples: int, seed: int = 0) -> Vector:
    """How often each day is drawn: [1 + resamples, days]. The first row is the days as they are."""
    size = resamples if days >= MIN_DAYS else 0
    drawn = np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=size)
    return np.vstack([np.ones((1, days)), drawn.astype(np.float64)])


def by_day(days: Days, *values: Vector) -> Vector:
    """Sums of each of the values: [days, values]."""
    size = int(days.max()) + 1
    return np.stack([np.bincount(days, weights=value, minlength=size) for value in values], axis=1)


def described(values: Vector) -> tuple[float | None, float | str, list[float] | None]:
    """Of a metric over all draws: its value, its standard deviation ("NaN" if unknown), and its 95% interval."""
    value = float(values[0]) if np.isfinite(values[0]) else None
    drawn = values[1:][np.isfinite(values[1:])]
    if value is None or len(drawn) < 2:
        return value, "NaN", None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return value, float(drawn.std(ddof=1)), [float(low), float(high)]
