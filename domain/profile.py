"""What training rows looked like: counts on a fixed grid. New rows are compared by adding integers."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

SMOOTHING = 0.5
BINS = 10
KEPT_VALUES = 50


@dataclass(frozen=True)
class NumberGrid:
    """Cells: up to and including each edge, above the last, missing (or unreadable).

    >>> grid = NumberGrid((0.0, 10.0))
    >>> [grid.cell(text) for text in ("-1", "0", "0.1", "10", "11", "", "junk")]
    [0, 0, 1, 1, 2, 3, 3]
    """

    edges: tuple[float, ...]

    @property
    def size(self) -> int:
        return len(self.edges) + 2

    def cell(self, text: str) -> int:
        try:
            value = float(text)
        except ValueError:
            return self.size - 1
        return self.size - 1 if math.isnan(value) else bisect_left(self.edges, value)


@dataclass(frozen=True)
class CategoryGrid:
    """Cells: one per kept value, other (rare in training), unseen (never in training), missing.

    >>> grid = CategoryGrid(("EWR", "JFK"), ("LGA",))
    >>> [grid.cell(text) for text in ("EWR", "JFK", "LGA", "PHL", "")]
    [0, 1, 2, 3, 4]
    """

    values: tuple[str, ...]
    rare: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.values) + 3

    @cached_property
    def _cells(self) -> dict[str, int]:
        other, missing = len(self.values), len(self.values) + 2
        known = {value: i for i, value in enumerate(self.values)}
        return {**known, **dict.fromkeys(self.rare, other), "": missing}

    def cell(self, text: str) -> int:
        return self._cells.get(text.strip(), len(self.values) + 1)


Grid = NumberGrid | CategoryGrid


@dataclass(frozen=True)
class Counts:
    """Rows per cell of each feature's grid. Counts of two batches add up to the counts of both.

    >>> Counts(2, {"hour": (1, 1)}) + Counts(1, {"hour": (0, 1)})
    Counts(rows=3, cells={'hour': (1, 2)})
    """

    rows: int
    cells: Mapping[str, tuple[int, ...]]

    def __add__(self, more: Counts) -> Counts:
        cells = {
            name: tuple(a + b for a, b in zip(mine, more.cells[name], strict=True))
            for name, mine in self.cells.items()
        }
        return Counts(self.rows + more.rows, cells)


@dataclass(frozen=True)
class Profile:
    """The grids, in the order of the model's columns, and the counts of the training rows on them."""

    grids: Mapping[str, Grid]
    reference: Counts

    def count(self, rows: Iterable[Sequence[str]]) -> Counts:
        """Rows of text, their cells in the order of the grids."""
        return count(self.grids, rows)

    def psi(self, counts: Counts) -> dict[str, float]:
        return {name: psi(self.reference.cells[name], counts.cells[name]) for name in self.grids}

    def to_json(self) -> str:
        features = [_feature(name, grid, self.reference.cells[name]) for name, grid in self.grids.items()]
        return json.dumps({"format": 1, "rows": self.reference.rows, "features": features}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        raw = json.loads(text)
        if raw["format"] != 1:
            raise ValueError(f"profile: got format {raw['format']}, this code reads 1")
        grids = {feature["name"]: _grid(feature) for feature in raw["features"]}
        return cls(grids, Counts(raw["rows"], {f["name"]: tuple(f["counts"]) for f in raw["features"]}))


def count(grids: Mapping[str, Grid], rows: Iterable[Sequence[str]]) -> Counts:
    """How many rows fall into each cell."""
    kept = list(rows)
    columns = list(zip(*kept, strict=True)) if kept else [()] * len(grids)
    tallies = {
        name: _tally(grid, column) for (name, grid), column in zip(grids.items(), columns, strict=True)
    }
    return Counts(len(kept), tallies)


def _tally(grid: Grid, column: Iterable[str]) -> tuple[int, ...]:
    """Each text is looked up once, however often it stands there."""
    tally = [0] * grid.size
    for text, times in Counter(column).items():
        tally[grid.cell(text)] += times
    return tuple(tally)


def profile(kinds: Mapping[str, str], rows: Sequence[Sequence[str]]) -> Profile:
    """The profile of training rows; `kinds` maps each column, in order, to "number" or "category"."""
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    grids = {
        name: number_grid(column) if kind == "number" else category_grid(column)
        for (name, kind), column in zip(kinds.items(), columns, strict=True)
    }
    return Profile(grids, count(grids, rows))


def number_grid(cells: Iterable[str]) -> NumberGrid:
    """Edges at the deciles, each a value that occurs; the greatest value is never an edge of its own.

    >>> number_grid(str(n) for n in range(1, 101)).edges
    (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)
    >>> number_grid(["0"] + ["1"] * 99).edges
    (0.0,)
    """
    texts = Counter(cells)
    values = sorted((float(text), times) for text, times in texts.items() if text.strip())
    if not values or values[0][0] == values[-1][0]:
        return NumberGrid(())
    below = max(value for value, _ in values if value < values[-1][0])
    up_to = list(accumulate(times for _, times in values))
    ranks = (math.ceil(k * up_to[-1] / BINS) for k in range(1, BINS))
    return NumberGrid(tuple(sorted({min(values[bisect_left(up_to, rank)][0], below) for rank in ranks})))


def category_grid(cells: Iterable[str]) -> CategoryGrid:
    """The 50 most frequent values have a cell each, ties in alphabetical order; the rest share one."""
    counter = Counter(text.strip() for text in cells)
    del counter[""]
    ranked = sorted(counter, key=lambda value: (-counter[value], value))
    return CategoryGrid(tuple(sorted(ranked[:KEPT_VALUES])), tuple(sorted(ranked[KEPT_VALUES:])))


def psi(reference: Sequence[int], counts: Sequence[int]) -> float:
    """Population stability index, sum of (q - p) ln(q / p) over the cells; 0 is no difference.

    Each cell gets half a row more, in both, so that an empty one neither divides by zero nor decides alone.

    >>> psi([50, 50], [50, 50])
    0.0
    >>> round(psi([50, 50], [100, 0]), 4)  # shares .5 and .5 against 100.5/101 and 0.5/101
    2.6254
    """
    p, q = _shares(reference), _shares(counts)
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + SMOOTHING * len(counts)
    return [(number + SMOOTHING) / total for number in counts]


def _feature(name: str, grid: Grid, counts: tuple[int, ...]) -> dict[str, Any]:
    if isinstance(grid, NumberGrid):
        return {"name": name, "kind": "number", "edges": grid.edges, "counts": counts}
    return {"name": name, "kind": "category", "values": grid.values, "rare": grid.rare, "counts": counts}


def _grid(feature: Mapping[str, Any]) -> Grid:
    if feature["kind"] == "number":
        return NumberGrid(tuple(feature["edges"]))
    return CategoryGrid(tuple(feature["values"]), tuple(feature["rare"]))
