"""Where the values of a category are counted: a cell for each frequent one, and cells for all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

KEPT_VALUES = 50


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

    @property
    def unseen(self) -> int:
        return len(self.values) + 1

    @property
    def missing(self) -> int:
        return len(self.values) + 2

    @cached_property
    def _cells(self) -> dict[str, int]:
        known = {value: i for i, value in enumerate(self.values)}
        return {**known, **dict.fromkeys(self.rare, len(self.values)), "": self.missing}

    def cell(self, text: str) -> int:
        return self._cells.get(text.strip(), self.unseen)


def category_grid(cells: Iterable[str]) -> CategoryGrid:
    """The 50 most frequent values have a cell each, ties in alphabetical order; the rest share one."""
    counter = Counter(text.strip() for text in cells)
    del counter[""]
    ranked = sorted(counter, key=lambda value: (-counter[value], value))
    return CategoryGrid(tuple(sorted(ranked[:KEPT_VALUES])), tuple(sorted(ranked[KEPT_VALUES:])))
