"""What a batch of rows adds up to: integers only, so that order, retries and parallel readers change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from domain.drift.categories import CategoryGrid
from domain.drift.grid import CELLS, MISSING, Cells, Floats, NumberGrid

Integers = NDArray[np.int64]
RANKS = 255
"""A value's rank in training as a whole number from -255 to 255: products of ranks add up exactly."""


@dataclass(frozen=True)
class Grids:
    """Where the rows of one deployment are counted: numeric features, categories, the model's answer."""

    numbers: Mapping[str, NumberGrid]
    categories: Mapping[str, CategoryGrid]
    prediction: NumberGrid
    ranks: Integers
    """(numbers, CELLS): the rank that each cell of each numeric feature had when the grids were made."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Rows per cell. Counts of two batches add up to the counts of both."""

    rows: int
    numbers: Integers
    """(numbers + 1, CELLS): the features, then the prediction."""
    categories: tuple[Integers, ...]
    products: Integers
    """(numbers, numbers): sums of products of ranks."""
    labelled: int = 0
    micro_loss: int = 0
    """Summed loss of the labelled rows in millionths."""
    micro_expected: int = 0
    """The sum that the answers themselves led to expect, in millionths (`domain.loss.expected_loss`)."""

    def __add__(self, more: Counts) -> Counts:
        pairs = zip(self.categories, more.categories, strict=True)
        return Counts(
            self.rows + more.rows,
            self.numbers + more.numbers,
            tuple(mine + theirs for mine, theirs in pairs),
            self.products + more.products,
            self.labelled + more.labelled,
            self.micro_loss + more.micro_loss,
            self.micro_expected + more.micro_expected,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counts) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _sums(self) -> tuple[int, ...]:
        return self.rows, self.labelled, self.micro_loss, self.micro_expected

    @cached_property
    def _key(self) -> tuple[object, ...]:
        arrays = (self.numbers, *self.categories, self.products)
        return (*self._sums, *(array.tobytes() for array in arrays))


@dataclass(frozen=True)
class Batch:
    """Rows as cells: (rows, numbers), a column a category, the predictions' cells; of labelled rows the losses."""

    numbers: Cells
    categories: Sequence[Cells]
    predictions: Cells
    micro_losses: Sequence[int] = ()
    micro_expected: Sequence[int] = ()


def count(grids: Grids, batch: Batch) -> Counts:
    """How many rows fall into each cell, and the sums of products of their ranks."""
    rows, width = batch.numbers.shape
    offsets = np.arange(width) * CELLS
    flat = batch.numbers + offsets
    ranks = grids.ranks.astype(float).ravel()[flat]
    products = np.rint(ranks.T @ ranks).astype(np.int64)  # whole numbers below 2**53: exact in any order
    tally = np.bincount(flat.ravel(), minlength=width * CELLS).reshape(width, CELLS)
    predicted = np.bincount(batch.predictions, minlength=CELLS)
    categories = zip(batch.categories, grids.categories.values(), strict=True)
    return Counts(
        rows,
        np.vstack([tally, predicted]).astype(np.int64),
        tuple(np.bincount(cells, minlength=grid.size).astype(np.int64) for cells, grid in categories),
        products,
        len(batch.micro_losses),
        sum(map(int, batch.micro_losses)),
        sum(map(int, batch.micro_expected)),
    )


def nothing(grids: Grids) -> Counts:
    """The counts of no rows."""
    width = len(grids.numbers)
    none = np.zeros(0, np.int64)
    empty = Batch(np.zeros((0, width), np.int64), [none] * len(grids.categories), none)
    return count(grids, empty)


def ranks(tallies: Integers) -> Integers:
    """The rank of each cell, -255 to 255, by these counts per cell; 0 outside of what was counted.

    >>> tallies = np.zeros((1, CELLS), int)
    >>> tallies[0, 2:6] = 1
    >>> ranks(tallies)[0, 2:6].tolist()
    [-191, -64, 64, 191]
    """
    found: Integers = np.rint(RANKS * (2 * mid_ranks(tallies) - 1)).astype(np.int64)
    found[:, MISSING:] = 0
    return found


def mid_ranks(tallies: Integers) -> Floats:
    """The share of values below each cell plus half of those in it; a missing one counts for nothing."""
    present = tallies[:, :MISSING].astype(float)
    total = np.maximum(present.sum(1, keepdims=True), 1)
    shares = (np.cumsum(present, 1) - present / 2) / total
    return np.hstack([shares, np.full((len(tallies), CELLS - MISSING), 0.5)])


def together(readings: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """What several readers counted, by file. A file that two of them read counts once.

    Raises ValueError if they disagree on a file: captured files never change.
    """
    files: dict[str, Counts] = {}
    for reading in readings:
        for file, counts in reading.items():
            if files.setdefault(file, counts) != counts:
                raise ValueError(f"{file}: got two different counts; a captured file never changes")
    return files


def total(grids: Grids, files: Mapping[str, Counts]) -> Counts:
    """The sum over files, whatever their order."""
    return sum(files.values(), nothing(grids))
