"""What is to be predicted: two classes or a number, said or inferred, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from domain.classes import LEAST, MOST
from rehearsal.table import cells
from rehearsal.table.unusable import Unusable, shown

YES = ("1", "true", "yes", "y", "t", "on", "positive", "pos", "up", "bad", "fraud", "churn")
SMALL_SPREAD = 0.05
"""A target that varies less is multiplied by a power of ten: losses are kept in millionths."""


@dataclass(frozen=True)
class Target:
    """Values as text, "" where missing; `notes` say what was inferred and why. Classes are texts."""

    task: str
    values: pd.Series
    notes: tuple[str, ...]


def infer(column: pd.Series, name: str, task: str | None, *, decimal_comma: bool = False) -> Target:
    """Two values make a binary task, more texts classes, more numbers a regression; `task` says it otherwise."""
    there = cells.present(column)
    if not there.any():
        raise Unusable(
            f"TARGET {name!r} is empty in all {len(column)} rows; name a column that holds what came true"
        )
    if task == "multiclass":
        return _multiclass(column, name, task)
    values = cells.truths(column)
    values = values if values is not None else cells.numbers(column, decimal_comma=decimal_comma)
    kinds = sorted(set(column[there])) if values is None else sorted(set(values[np.isfinite(values)]))
    if len(kinds) < 2:
        only = column[there].iloc[0]
        raise Unusable(
            f"TARGET {name!r} is {only!r} in every row; it needs two classes, or numbers that differ"
        )
    if task == "binary" and len(kinds) > 2:
        raise Unusable(
            f"TARGET {name!r} has {len(kinds)} different values, TASK=binary needs two; give TASK=regression or "
            "a column with two"
        )
    if len(kinds) == 2 and task != "regression":
        return _binary(column, name, values, task)
    if values is None and task == "regression":
        found = shown([str(kind) for kind in kinds], most=5)
        raise Unusable(
            f"TARGET {name!r} has {len(kinds)} classes ({found}), TASK=regression needs numbers; give TASK=multiclass "
            "or a column of numbers"
        )
    if values is None:
        return _multiclass(column, name, task)
    return _regression(values, name, column, len(kinds), task)


def _binary(column: pd.Series, name: str, values: cells.Numbers | None, task: str | None) -> Target:
    there = cells.present(column)
    if values is None:
        positive = _positive(column[there])
        text = (column == positive).astype(int).astype(str).where(there, "")
        [other] = set(column[there]) - {positive}
        meaning = f"; {positive!r} is 1, {other!r} is 0"
    else:
        high = np.nanmax(values)
        text = pd.Series(
            np.where(np.isnan(values), "", (values == high).astype(int).astype(str)), column.index
        )
        low = np.nanmin(values)
        meaning = "" if (low, high) == (0.0, 1.0) else f"; {high:g} is 1, {low:g} is 0"
    why = "as asked" if task else "it has two values"
    share = (text == "1").sum() / (text != "").sum()
    return Target("binary", text, (f"task binary ({why}): {name}{meaning}; {share:.1%} are 1",))


def _multiclass(column: pd.Series, name: str, task: str | None) -> Target:
    """Texts as they are, and whole numbers in one notation: 1 and 1.0 are one class."""
    numbers = cells.numbers(column)
    text = cells.category_text(column)
    if numbers is not None and np.isfinite(numbers[(text != "").to_numpy()]).all():
        text = pd.Series([cells.number_text(value, 9) for value in numbers], column.index)
    kinds = sorted(set(text) - {""})
    if not LEAST <= len(kinds) <= MOST:
        raise Unusable(
            f"TARGET {name!r} has {len(kinds)} classes ({shown(kinds, most=5)}); allowed are {LEAST} to {MOST}, or two "
            "of TASK=binary: name another column, or put the rare ones together"
        )
    why = "as asked" if task else "it has more than two values, and they are no numbers"
    return Target("multiclass", text, (f"task multiclass ({why}): {name}; {len(kinds)} classes",))


def _positive(column: pd.Series) -> str:
    """The class that is 1: a word for yes, else the rarer one."""
    counts = column.value_counts()
    return str(min(counts.index, key=lambda value: (value.lower() not in YES, counts[value], value)))


def _regression(values: cells.Numbers, name: str, column: pd.Series, kinds: int, task: str | None) -> Target:
    why = "as asked" if task else f"it has {kinds:,} different numbers"
    scale = 1
    while np.nanstd(values) * scale < SMALL_SPREAD and scale < 10**30:
        scale *= 10
    notes = [f"task regression ({why}): {name}"]
    if scale > 1:
        notes.append(f"{name} is multiplied by {scale:g}: its values differ by less than losses are kept for")
    text = pd.Series([cells.number_text(value * scale, 9) for value in values], column.index)
    return Target("regression", text, tuple(notes))
