"""What each held-out row cost, by model; summed by day for the gate, and by day within the slices that it looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.gate import DayLoss
from domain.loss import row_loss
from training.errors import Refused

Vector = NDArray[np.float64]
MAX_SLICES = 50
"""Of a column, the largest ones: of a name in each row none has enough rows."""


@dataclass(frozen=True)
class RowLosses:
    """One value a held-out row. `champion` is None where there is none to compare with."""

    days: Sequence[str]
    challenger: Vector
    champion: Vector | None
    base_rate: Vector


def each_row(task: str, predictions: Vector, targets: Vector) -> Vector:
    rows = zip(predictions.tolist(), targets.tolist(), strict=True)
    return np.array([row_loss(task, prediction, target) for prediction, target in rows])


def by_day(losses: RowLosses, rows: Sequence[int] | None = None) -> list[DayLoss]:
    """Losses summed over each day, of all rows or of some."""
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row in range(len(losses.days)) if rows is None else rows:
        rows_of[losses.days[row]].append(row)

    def total(values: Vector, chosen: list[int]) -> float:
        return float(sum(values[chosen].tolist()))

    return [
        DayLoss(
            day=day,
            rows=len(chosen),
            challenger=total(losses.challenger, chosen),
            champion=None if losses.champion is None else total(losses.champion, chosen),
            base_rate=total(losses.base_rate, chosen),
        )
        for day, chosen in sorted(rows_of.items())
    ]


def by_slice(
    table: pd.DataFrame, losses: RowLosses, columns: Sequence[str]
) -> dict[tuple[str, str], list[DayLoss]]:
    """(column, value) -> its days, for the largest values of each column."""
    found: dict[tuple[str, str], list[DayLoss]] = {}
    for column in columns:
        if column not in table.columns:
            raise Refused(
                f"gate.slices names {column!r}, allowed are the table's: {', '.join(table.columns)}"
            )
        rows_of: dict[str, list[int]] = defaultdict(list)
        for row, value in enumerate(table[column].tolist()):
            rows_of[value].append(row)
        largest = sorted(rows_of, key=lambda value: (-len(rows_of[value]), value))[:MAX_SLICES]
        found |= {(column, value): by_day(losses, rows_of[value]) for value in largest}
    return found
