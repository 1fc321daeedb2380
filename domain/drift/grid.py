"""Where the values of a numeric column are counted: fixed, fine cells, which outlive a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]

INSIDE = 1024
FAR_BELOW, BELOW, FIRST, ABOVE, FAR_ABOVE, MISSING, UNREADABLE, CELLS = (
    *(0, 1, 2), *range(INSIDE + 2, INSIDE + 7),
)  # fmt: skip
"""The cells of a grid: FIRST to ABOVE - 1 are inside; far is FAR of the grid's own widths outside."""
FAR = 9
"""So that the scale is ten times the range: a new unit is far outside, the storm of a century is not."""
TAIL, MARGIN, NARROWEST = 0.0005, 0.05, 1e-6
SKEWED = 4


@dataclass(frozen=True)
class NumberGrid:
    """1,024 cells between two values, equally wide in x, or in asinh((x - centre) / scale) where scale > 0.

    A cell holds its lower edge and not its upper one. Only comparisons with the edges decide, so that every
    machine and every reader finds the same cell.

    >>> grid = NumberGrid(0.0, 1024.0)
    >>> [int(cell) for cell in grid.cells(np.array([-1e4, -1, 0, 0.5, 1, 1023, 1024, 1e9, np.nan]))]
    [0, 1, 2, 2, 3, 1025, 1026, 1027, 1028]
    """

    low: float
    high: float
    centre: float = 0.0
    scale: float = 0.0

    @cached_property
    def edges(self) -> Floats:
        """The 1,025 edges, between those beyond which a value is far outside."""
        low, high = self.low, self.high
        if self.scale:  # twelve digits, since libraries differ in the last one of sinh
            first, last = (math.asinh((end - self.centre) / self.scale) for end in (low, high))
            steps = (first + (last - first) * k / INSIDE for k in range(INSIDE + 1))
            inner = [float(f"{self.centre + self.scale * math.sinh(step):.12g}") for step in steps]
        else:
            inner = [low + (high - low) * k / INSIDE for k in range(INSIDE + 1)]
        far = FAR * (high - low)
        return np.maximum.accumulate([low - far, *inner, high + far])

    def cells(self, values: Floats) -> Cells:
        """The cell of each value; NaN is missing."""
        found = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), MISSING, found)


def number_grid(values: Floats) -> NumberGrid:
    """A grid over the training values, a little wider than all but their outermost thousandth.

    On an asinh scale if that makes the fullest cell at least four times emptier: a long tail, finely cut.

    >>> number_grid(np.arange(101.0)).scale
    0.0
    >>> number_grid(np.sinh(np.linspace(-8, 8, 1001))).scale > 0
    True
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return NumberGrid(0.0, 1.0)
    low, quarter, middle, three, high = (
        float(q) for q in np.quantile(finite, [TAIL, 0.25, 0.5, 0.75, 1 - TAIL])
    )
    if high <= low:
        around = max(abs(high), 1.0) / 2
        return NumberGrid(low - around, high + around)
    margin = MARGIN * (high - low)
    plain = NumberGrid(low - margin, high + margin)
    centre = middle
    scale = max(min(middle - quarter, three - middle), (high - low) * NARROWEST)
    first, last = (math.asinh((end - centre) / scale) for end in (low, high))
    margin = MARGIN * (last - first)
    low, high = (centre + scale * math.sinh(step) for step in (first - margin, last + margin))
    skewed = NumberGrid(low, high, centre, scale)
    return skewed if _fullest(plain, finite) >= SKEWED * _fullest(skewed, finite) else plain


def _fullest(grid: NumberGrid, values: Floats) -> int:
    return int(np.bincount(grid.cells(values)).max())


def parse_numbers(texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
    """Cells of text as values, NaN where empty; and which of them are no number.

    >>> values, unreadable = parse_numbers(["1", " ", "junk", "nan"])
    >>> values.tolist(), unreadable.tolist()
    ([1.0, nan, nan, nan], [False, False, True, False])
    """
    try:
        return np.array([float(text or "nan") for text in texts]), np.zeros(len(texts), bool)
    except ValueError:
        values = [_number(text) for text in texts]
        unreadable = np.array([value is None for value in values], bool)
        return np.array([math.nan if value is None else value for value in values]), unreadable


def _number(text: str) -> float | None:
    try:
        return float(text.strip() or "nan")
    except ValueError:
        return None
