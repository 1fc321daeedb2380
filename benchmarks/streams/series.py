"""Anyone's series, day by day: in shuffled order, where every alarm is false, and in its true order.

Days are shuffled among the same days of the week: the week, the day's own course and what differs from day to day
stay, what drifts over the months goes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from domain.drift.categories import CategoryGrid, category_grid
from domain.drift.counts import Batch, Counts, Grids, count, ranks
from domain.drift.grid import CELLS, number_grid

MIN_ROWS = 10
"""Days with fewer rows are left out."""
FEW_VALUES = 10
"""A column of numbers with no more different values than this is a category."""
MOST_COLUMNS, MOST_VALUES = 120, 1000
REFERENCE = 0.3
"""Of the days, the first, are what the model was trained on."""


@dataclass(frozen=True)
class Table:
    """Columns, and of each day the numbers of its rows."""

    name: str
    numbers: dict[str, NDArray[np.float64]]
    categories: dict[str, NDArray[np.str_]]
    target: NDArray[np.float64] | None
    days: list[NDArray[np.int64]]

    @cached_property
    def binary(self) -> bool:
        return self.target is not None and set(self.target[np.isfinite(self.target)]) <= {0.0, 1.0}

    @property
    def reference_days(self) -> int:
        return int(len(self.days) * REFERENCE)


def read(path: Path, time: str, target: str = "", *, name: str = "") -> Table:
    """A CSV, or all of a directory's. Raises ValueError saying what a column would have to be."""
    files = sorted(path.glob("*.csv.gz")) if path.is_dir() else [path]
    frame = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    for column in (time, target):
        if column and column not in frame:
            raise ValueError(f"{path}: got no column {column!r}, there are {', '.join(frame)}")
    day = _days(frame[time])
    frame, day = frame[day >= 0], day[day >= 0]
    rows_of = [np.flatnonzero(day == d) for d in np.unique(day)]
    outcome = _target(frame[target]) if target else None
    features = frame.drop(columns=[c for c in (time, target) if c])
    numbers, categories = _columns(features)
    if not numbers and not categories:
        raise ValueError(f"{path}: got no column with numbers or with at most {MOST_VALUES} values")
    days = [rows for rows in rows_of if len(rows) >= MIN_ROWS]
    return Table(name or path.name.partition(".")[0], numbers, categories, outcome, days)


def _days(time: pd.Series) -> NDArray[np.int64]:
    """The number of each row's day; -1 where no time is. A number that starts over is a time of day."""
    if pd.api.types.is_numeric_dtype(time):
        over = (time.diff() < 0).cumsum().to_numpy()
        spread = np.arange(len(time)) // max(len(time) // 365, MIN_ROWS)
        return np.asarray(over if over[-1] >= 28 else spread, np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at = pd.to_datetime(time, errors="coerce", utc=True)
    if at.isna().mean() > 0.5:
        raise ValueError(f"column {time.name!r}: got {time.iloc[0]!r}, expected dates or numbers")
    days = (at - pd.Timestamp("1970-01-01", tz="UTC")).dt.days
    return np.asarray(days.fillna(-1).to_numpy(), np.int64)


def _target(column: pd.Series) -> NDArray[np.float64]:
    """0 and 1 if there are two values, else numbers in deviations from their mean."""
    values = sorted(column.dropna().unique())
    if len(values) == 2:
        return np.where(column.isna(), np.nan, (column == values[1]).astype(float))
    number = pd.to_numeric(column, errors="coerce").to_numpy(float)
    return np.asarray((number - np.nanmean(number)) / (np.nanstd(number) or 1.0))


def _columns(frame: pd.DataFrame) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.str_]]]:
    numbers: dict[str, NDArray[np.float64]] = {}
    categories: dict[str, NDArray[np.str_]] = {}
    for name in list(frame)[:MOST_COLUMNS]:
        column, different = frame[name], frame[name].nunique()
        if pd.api.types.is_numeric_dtype(column) and different > FEW_VALUES:
            numbers[name] = column.to_numpy(float)
        elif 1 < different <= MOST_VALUES:
            categories[name] = column.fillna("").astype(str).to_numpy(str)
    return numbers, categories


def predict(table: Table, trained_on: Sequence[int], *, most_rows: int = 20_000) -> NDArray[np.float64]:
    """Answers for all rows of a model trained on some days; their own rows by models without their day."""
    if table.target is None:
        return np.zeros(max(int(rows.max()) for rows in table.days) + 1)
    x = _matrix(table)
    folds = [np.array(trained_on[k::4]) for k in range(4)]
    found = _fit(table, x, trained_on, most_rows)(x)
    for fold in folds:
        others = [day for day in trained_on if day not in set(fold.tolist())]
        rows = np.concatenate([table.days[day] for day in fold])
        found[rows] = _fit(table, x, others, most_rows)(x[rows])
    return found


def _matrix(table: Table) -> NDArray[np.float64]:
    codes = [pd.factorize(values)[0].astype(float) for values in table.categories.values()]
    return np.column_stack([*table.numbers.values(), *codes])


def _fit(
    table: Table, x: NDArray[np.float64], days: Sequence[int], most_rows: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    assert table.target is not None
    rows = np.concatenate([table.days[day] for day in days])
    rows = rows[np.isfinite(table.target[rows])]
    rows = np.random.default_rng(0).permutation(rows)[:most_rows]
    how = {"max_iter": 60, "early_stopping": False, "random_state": 0}
    if table.binary:
        chances = HistGradientBoostingClassifier(**how).fit(x[rows], table.target[rows])
        return lambda some: np.asarray(chances.predict_proba(some)[:, -1])
    number = HistGradientBoostingRegressor(**how).fit(x[rows], table.target[rows])
    return lambda some: np.asarray(number.predict(some))


def day_counts(table: Table, trained_on: Sequence[int]) -> tuple[Grids, list[Counts]]:
    """The grids of some days' rows, and the counts of every day on them."""
    rows = np.concatenate([table.days[day] for day in trained_on])
    answers = predict(table, trained_on)
    numbers = {name: number_grid(values[rows]) for name, values in table.numbers.items()}
    categories = {name: category_grid(values[rows].tolist()) for name, values in table.categories.items()}
    cells = [grid.cells(table.numbers[name]) for name, grid in numbers.items()]
    tallies = [np.bincount(column[rows], minlength=CELLS) for column in cells]
    score = number_grid(answers[rows])
    width = np.zeros((len(answers), 0), np.int64)
    matrix = np.column_stack(cells) if cells else width
    rank = ranks(np.stack(tallies)) if tallies else np.zeros((0, CELLS), np.int64)
    grids = Grids(numbers, categories, score, rank)
    texts = {name: _cells(grid, table.categories[name]) for name, grid in categories.items()}
    scored = score.cells(answers)
    counts = [
        count(
            grids,
            Batch(
                matrix[d], [column[d] for column in texts.values()], scored[d], *_losses(table, answers, d)
            ),
        )
        for d in table.days
    ]
    return grids, counts


def _cells(grid: CategoryGrid, values: NDArray[np.str_]) -> NDArray[np.int64]:
    codes, kinds = pd.factorize(values)
    return np.asarray(np.array([grid.cell(kind) for kind in kinds], np.int64)[codes])


def _losses(
    table: Table, answers: NDArray[np.float64], rows: NDArray[np.int64]
) -> tuple[list[int], list[int]]:
    """Of the rows whose outcome is known: the loss, and the loss that the answer led to expect."""
    if table.target is None:
        return [], []
    known = rows[np.isfinite(table.target[rows])]
    answer = answers[known]
    lost = np.rint(1e6 * (answer - table.target[known]) ** 2)
    expected = np.rint(1e6 * answer * (1 - answer)) if table.binary else np.zeros_like(answer)
    return lost.astype(int).tolist(), expected.astype(int).tolist()
