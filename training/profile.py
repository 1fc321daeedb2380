"""The profile of a model: its training rows on a grid, day by day, and what is usual in rows that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.drift.categories import category_grid
from domain.drift.counts import Batch, Counts, count
from domain.drift.grid import CELLS, number_grid, parse_numbers
from domain.drift.invalid import UNSEEN, Usual, telling, usual_shares
from domain.drift.profile import Profile, day_signals, grids_of
from domain.drift.rows import batch, number_cells
from domain.drift.signals import Training
from training import tables
from training.schema import Schema

Vector = NDArray[np.float64]
Days = NDArray[np.int64]


def profile(
    schema: Schema, train: pd.DataFrame, test: pd.DataFrame, answers: Vector | None, heldout_answers: Vector
) -> Profile:
    """`answers` are to the rows of `train`, each of a model without its day; None if there is no such model."""
    columns = texts(train, schema)
    answered = np.full(len(train), np.nan) if answers is None else scores(answers)
    numbers = {name: number_grid(parse_numbers(columns[name])[0]) for name in schema.of_kind("number")}
    categories = {name: category_grid(columns[name]) for name in schema.of_kind("category")}
    prediction = number_grid(scores(heldout_answers) if answers is None else answered)
    cells = [number_cells(grid, columns[name]) for name, grid in numbers.items()]
    grids = grids_of(numbers, categories, prediction, [np.bincount(one, minlength=CELLS) for one in cells])
    rows = batch(grids, columns, answered)
    training = Training(grids, count(grids, rows))
    each, day = np.unique(tables.days(train, schema), return_inverse=True)
    days = [count(grids, _part(rows, day == number)) for number in range(len(each))]
    signals = tuple(day_signals(training, str(name), counts) for name, counts in zip(each, days, strict=True))
    unseen = batch(grids, texts(test, schema), scores(heldout_answers))
    _, later = np.unique(tables.days(test, schema), return_inverse=True)
    days += [count(grids, _part(unseen, later == number)) for number in range(later.max(initial=-1) + 1)]
    return Profile(schema.names, training, signals, _usual(training, days, columns, day))


def texts(table: pd.DataFrame, schema: Schema) -> dict[str, list[str]]:
    # pandas hands out text one by one, a list at once
    return {name: table[name].to_numpy(dtype=object).tolist() for name in schema.names}


def scores(answers: Vector) -> Vector:
    """What is counted of each answer: `domain.classes.score`, of many at once."""
    return answers.argmax(axis=1).astype(np.float64) if answers.ndim == 2 else answers


def _usual(training: Training, days: Sequence[Counts], columns: dict[str, list[str]], day: Days) -> Usual:
    shares = usual_shares(training, days)
    for name in training.grids.categories:
        shares[name, UNSEEN] = max(shares[name, UNSEEN], *_seen_on_one_day(columns[name], day))
    return shares


def _seen_on_one_day(texts: list[str], day: Days) -> list[float]:
    """By day, the share of rows whose value no other day has: to all others it would have been unseen."""
    values, codes = np.unique([text.strip() for text in texts], return_inverse=True)
    pairs = np.unique(np.stack([codes, day]), axis=1)
    alone = (np.bincount(pairs[0], minlength=len(values)) == 1) & (values != "")
    rows, lonely = np.bincount(day), np.bincount(day, weights=alone[codes])
    return [float(lonely[i]) / int(rows[i]) for i in telling(rows.tolist())]


def _part(rows: Batch, where: NDArray[np.bool_]) -> Batch:
    return Batch(rows.numbers[where], [column[where] for column in rows.categories], rows.predictions[where])
