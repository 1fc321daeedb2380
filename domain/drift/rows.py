"""Rows of text, as they are captured and as tables hold them, onto the grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from domain.capture import Exchange
from domain.classes import score
from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count
from domain.drift.grid import UNREADABLE, Cells, Floats, NumberGrid, parse_numbers


def number_cells(grid: NumberGrid, texts: Sequence[str]) -> Cells:
    values, unreadable = parse_numbers(texts)
    return np.where(unreadable, UNREADABLE, grid.cells(values))


def category_cells(grid: CategoryGrid, texts: Iterable[str]) -> Cells:
    return np.fromiter((grid.cell(text) for text in texts), np.int64)


def batch(grids: Grids, columns: Mapping[str, Sequence[str]], answers: Floats) -> Batch:
    """The cells of rows; an answer that is NaN, because another model gave it, say, is missing."""
    numbers = [number_cells(grid, columns[name]) for name, grid in grids.numbers.items()]
    return Batch(
        np.column_stack(numbers) if numbers else np.zeros((len(answers), 0), np.int64),
        [category_cells(grid, columns[name]) for name, grid in grids.categories.items()],
        grids.prediction.cells(answers),
    )


def count_exchanges(
    grids: Grids, columns: Sequence[str], exchanges: Sequence[Exchange], *, model: str
) -> Counts:
    """The rows of captured requests, whoever answered them; of the answers those of `model`, or of nobody by name."""
    rows = [row for exchange in exchanges for row in exchange.rows]
    answers = [
        score(answer) if exchange.model in ("", model) else np.nan
        for exchange in exchanges
        for answer in exchange.predictions
    ]
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return count(
        grids, batch(grids, dict(zip(columns, cells, strict=True)), np.array(answers, dtype=np.float64))
    )
