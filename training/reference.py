"""What the watch holds a live model against: the loss, by day, on rows that a model like it had not seen.

Each day of training is answered by a model that was fitted without it. The held-out days join them only where these are
too few: of a run that an alarm started they are the very days that raised it, and would make them the normal ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.drift.detector import DAYS_OF_REFERENCE
from domain.loss import LossDay, by_day, row_loss_day
from training import tables
from training.errors import Refused
from training.fitting import fit, predict
from training.schema import Schema

FOLDS = 4
MOST_ROWS = 20_000
"""A fold's model is fitted on so many rows at most: the reference must not cost more than the model."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """`days` in order; `without` says why the days of training are not among them, or is empty."""

    days: tuple[LossDay, ...]
    without: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"days": [day.to_list() for day in self.days], "without": self.without}


def reference(schema: Schema, train: pd.DataFrame, test: pd.DataFrame, heldout_answers: Vector) -> Reference:
    """The reference of a model; `heldout_answers` is what it says to the rows of `test`."""
    held_out = day_losses(schema, test, heldout_answers)
    try:
        answers = _answers_without_their_day(schema, train)
    except Refused as refused:
        return Reference(tuple(held_out), f"the estimator cannot be fitted on a part of the days: {refused}")
    trained_on = day_losses(schema, train, answers)
    enough = len(trained_on) >= DAYS_OF_REFERENCE
    return Reference(tuple(trained_on if enough else trained_on + held_out))


def day_losses(schema: Schema, table: pd.DataFrame, answers: Vector) -> list[LossDay]:
    targets = tables.targets(table, schema).tolist()
    rows = zip(tables.days(table, schema), answers.tolist(), targets, strict=True)
    return by_day(row_loss_day(schema.task, day, answer, target) for day, answer, target in rows)


def _answers_without_their_day(schema: Schema, train: pd.DataFrame) -> Vector:
    """Every fourth day is answered by a model of the other three."""
    features, targets = tables.features(train, schema), tables.targets(train, schema)
    _, day = np.unique(tables.days(train, schema), return_inverse=True)
    order = np.random.default_rng(0).permutation(len(train))
    answers = np.empty((len(train), *schema.answer_shape))
    for fold in range(FOLDS):
        inside = day % FOLDS == fold
        if inside.any():
            others = np.sort(order[~inside[order]][:MOST_ROWS])
            fitted = fit(schema, features.iloc[others], targets[others])
            answers[inside] = predict(schema, fitted, features[inside])
    return answers
