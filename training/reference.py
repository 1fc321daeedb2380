"""What the watch holds a live model against: the loss, by day, on rows that a model like it had not seen.

Each day of training is answered by a model that was fitted without it. The held-out days join them only where these are
too few: of a run that an alarm started they are the very days that raised it, and would make them the normal ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.drift.detector import DAYS_OF_REFERENCE
from domain.labels import LabelDay, label_days
from domain.loss import LossDay, by_day, micro_loss, row_loss_day
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
    """`days` in order; `labels` are of the days of training and of the held-out ones.

    `without` says why the days of training are not among the days, or is empty. `answers` are those to the rows of
    training, each of a model without its day; None where there are none.
    """

    days: tuple[LossDay, ...]
    without: str = ""
    labels: tuple[LabelDay, ...] = ()
    answers: Vector | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "days": [day.to_list() for day in self.days],
            "without": self.without,
            "labels": [day.to_list() for day in self.labels],
        }


def reference(schema: Schema, train: pd.DataFrame, test: pd.DataFrame, heldout_answers: Vector) -> Reference:
    """The reference of a model; `heldout_answers` is what it says to the rows of `test`."""
    held_out, labels = day_losses(schema, test, heldout_answers), day_labels(schema, train, test)
    try:
        answers = _answers_without_their_day(schema, train)
    except Refused as refused:
        why = f"the estimator cannot be fitted on a part of the days: {refused}"
        return Reference(tuple(held_out), why, labels)
    trained_on = day_losses(schema, train, answers)
    enough = len(trained_on) >= DAYS_OF_REFERENCE
    return Reference(tuple(trained_on if enough else trained_on + held_out), labels=labels, answers=answers)


def day_losses(schema: Schema, table: pd.DataFrame, answers: Vector) -> list[LossDay]:
    targets = tables.targets(table, schema).tolist()
    rows = zip(tables.days(table, schema), answers.tolist(), targets, strict=True)
    return by_day(row_loss_day(schema.task, day, answer, target) for day, answer, target in rows)


def day_labels(schema: Schema, *tables_: pd.DataFrame) -> tuple[LabelDay, ...]:
    rows = (
        zip(tables.days(one, schema), tables.targets(one, schema).tolist(), strict=True) for one in tables_
    )
    return label_days(LabelDay(day, 1, 0, micro_loss(abs(target))) for part in rows for day, target in part)


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
