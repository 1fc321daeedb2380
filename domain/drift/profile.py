"""What a model was trained on, on a fixed grid: what its traffic is held against. It comes with the model's package.

`profile.json` holds counts and, of each day of training, its signals. No row is in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Counts, Grids, Integers, ranks
from domain.drift.grid import CELLS, NumberGrid
from domain.drift.invalid import Usual
from domain.drift.signals import Training

FORMAT = 2
"""The first had deciles, and no days."""
DIGITS = 9


@dataclass(frozen=True)
class DaySignals:
    """A UTC day's rows and the value of each signal of `Training.names`; None where the day cannot say."""

    day: str
    rows: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Profile:
    """`columns` in the model's own order; `days` are those of training."""

    columns: tuple[str, ...]
    training: Training
    days: tuple[DaySignals, ...]
    usual: Usual

    def to_json(self) -> str:
        grids, counts = self.training.grids, self.training.counts
        body = {
            "format": FORMAT,
            "rows": counts.rows,
            "columns": self.columns,
            "numbers": [
                _number(name, grid, tally)
                for (name, grid), tally in zip(grids.numbers.items(), counts.numbers, strict=False)
            ],
            "prediction": _number("prediction", grids.prediction, counts.numbers[-1]),
            "categories": [
                {"name": name, "values": grid.values, "rare": grid.rare, "counts": tally.tolist()}
                for (name, grid), tally in zip(grids.categories.items(), counts.categories, strict=True)
            ],
            "products": counts.products.tolist(),
            "days": [[day.day, day.rows, day.values] for day in self.days],
            "usual": [[*key, share] for key, share in sorted(self.usual.items()) if share > 0],
        }
        return json.dumps(body, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile | None:
        """None of a profile that an earlier Tideline wrote: it has no days to hold anything against."""
        raw = json.loads(text)
        if raw["format"] != FORMAT:
            return None
        return cls(
            tuple(raw["columns"]),
            _training(raw),
            tuple(DaySignals(day, rows, tuple(values)) for day, rows, values in raw["days"]),
            {(feature, kind): share for feature, kind, share in raw["usual"]},
        )


def day_signals(training: Training, day: str, counts: Counts) -> DaySignals:
    """What a day's counts come to."""
    found = training.signals(counts).tolist()
    values = tuple(None if math.isnan(value) else round(value, DIGITS) for value in found)
    return DaySignals(day, counts.rows, values)


def grids_of(
    numbers: Mapping[str, NumberGrid],
    categories: Mapping[str, CategoryGrid],
    prediction: NumberGrid,
    tallies: Sequence[Integers],
) -> Grids:
    """`tallies` are the training rows per cell of each numeric feature."""
    of_numbers = np.stack(tallies) if tallies else np.zeros((0, CELLS), np.int64)
    return Grids(numbers, categories, prediction, ranks(of_numbers))


def _number(name: str, grid: NumberGrid, tally: Integers) -> dict[str, Any]:
    held = np.flatnonzero(tally)
    where = {"low": grid.low, "high": grid.high, "centre": grid.centre, "scale": grid.scale}
    return {"name": name, **where, "counts": [held.tolist(), tally[held].tolist()]}


def _tally(one: Mapping[str, Any]) -> Integers:
    tally = np.zeros(CELLS, np.int64)
    tally[one["counts"][0]] = one["counts"][1]
    return tally


def _grid(one: Mapping[str, Any]) -> NumberGrid:
    return NumberGrid(one["low"], one["high"], one["centre"], one["scale"])


def _training(raw: Mapping[str, Any]) -> Training:
    numbers, categories = raw["numbers"], raw["categories"]
    tallies = [_tally(one) for one in numbers]
    grids = grids_of(
        {one["name"]: _grid(one) for one in numbers},
        {one["name"]: CategoryGrid(tuple(one["values"]), tuple(one["rare"])) for one in categories},
        _grid(raw["prediction"]),
        tallies,
    )
    width = len(numbers)
    counts = Counts(
        raw["rows"],
        np.stack([*tallies, _tally(raw["prediction"])]),
        tuple(np.array(one["counts"], np.int64) for one in categories),
        np.array(raw["products"], np.int64).reshape(width, width),
    )
    return Training(grids, counts)
