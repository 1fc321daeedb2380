"""What the hour of day and the day of week explain of a signal, and what they leave.

Least squares on the reference windows. A window's own residual is taken as if it had not been in the fit
(leave-one-out), since that is how a new window will meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.drift.grid import Floats
from domain.drift.windows import HOURS_A_DAY, Window

ROUNDING = 1e-9
"""A residual below this share of the signal is rounding noise: of a constant column nothing must be ranked."""
SHRINKAGE = 14
"""An hour's own scale counts as much as the common one from this many windows on."""


def design(windows: Sequence[Window], *, hourly: bool) -> Floats:
    """(windows, columns): the share of rows in each hour of day and, but for the first, each day of week."""
    hours = np.array([window.hour_rows for window in windows], float)
    weekdays = np.array([window.weekday_rows for window in windows], float)
    rows = hours.sum(1, keepdims=True)
    level = hours / rows if hourly else np.ones_like(rows)
    return np.hstack([level, weekdays[:, 1:] / rows])


def phases(windows: Sequence[Window], *, hourly: bool) -> NDArray[np.int64]:
    """The hour of day in which most of a window's rows lie; 0 for windows of a day or longer."""
    if not hourly:
        return np.zeros(len(windows), np.int64)
    return np.array([int(np.argmax(window.hour_rows)) for window in windows])


@dataclass(frozen=True)
class Layout:
    """When some windows were, and their rows; solved once for all signals that are known in them."""

    columns: Floats
    phase: NDArray[np.int64]
    rows: Floats

    @classmethod
    def of(cls, windows: Sequence[Window], *, hourly: bool) -> Layout:
        rows = np.array([float(window.counts.rows) for window in windows])
        return cls(design(windows, hourly=hourly), phases(windows, hourly=hourly), rows)

    def where(self, known: NDArray[np.bool_]) -> Layout:
        return self if known.all() else Layout(self.columns[known], self.phase[known], self.rows[known])

    @cached_property
    def inverse(self) -> Floats:
        return np.asarray(np.linalg.pinv(self.columns), float)

    @cached_property
    def leverage(self) -> Floats:
        return np.asarray(np.minimum(np.einsum("ij,ji->i", self.columns, self.inverse), 0.99))


@dataclass(frozen=True)
class Season:
    """One signal's expected value and scale by season."""

    coefficients: Floats
    scales: Floats
    """(24,): by phase."""
    rows: Floats
    """(24,): the usual rows of a window by phase."""

    def residuals(self, x: Floats, layout: Layout) -> Floats:
        """In units of the scale; a window with fewer rows than usual has a larger one."""
        fewer = np.sqrt(np.maximum(1, self.rows[layout.phase] / layout.rows))
        left = without_rounding(x - layout.columns @ self.coefficients, x)
        return np.asarray(left / (self.scales[layout.phase] * fewer))


def fit(x: Floats, layout: Layout) -> tuple[Season, Floats]:
    """The season of one signal over its reference windows, and their leave-one-out residuals."""
    phase, rows = layout.phase, layout.rows
    coefficients = layout.inverse @ x
    left = without_rounding(x - layout.columns @ coefficients, x) / (1 - layout.leverage)
    usual = np.array(
        [rows[phase == p].mean() if (phase == p).any() else rows.mean() for p in range(HOURS_A_DAY)]
    )
    unit = left / np.sqrt(np.maximum(1, usual[phase] / rows))
    squares, number = (np.bincount(phase, weights, minlength=HOURS_A_DAY) for weights in (unit**2, None))
    common = float(squares.sum()) / len(x)
    scales = np.sqrt((squares + SHRINKAGE * common) / (number + SHRINKAGE)) + 1e-12
    without = squares[phase] - unit**2 + SHRINKAGE * common
    own = np.sqrt(without / (number[phase] - 1 + SHRINKAGE)) + 1e-12
    return Season(coefficients, scales, usual), unit / own


def without_rounding(residuals: Floats, x: Floats) -> Floats:
    """Residuals that are only the rounding of their computation are zero, so that they tie."""
    return np.where(np.abs(residuals) < ROUNDING * (1 + np.abs(x)), 0.0, residuals)
