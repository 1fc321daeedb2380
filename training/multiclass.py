"""Metrics of a model that chooses among classes, under SageMaker's names for model quality, and their intervals.

As in metrics.py each is a function of sums that add up over days.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.loss import LEAST_PROBABILITY
from training.metrics import RESAMPLES, ratio, shown
from training.resampling import Days, by_day, described, draws

Vector = NDArray[np.float64]
NAME = "multiclass_classification_metrics"


def multiclass_quality(
    predictions: Vector, targets: Vector, days: Days, *, classes: Sequence[str], shares: Vector
) -> dict[str, Any]:
    """`predictions` are [rows, classes], `targets` the places of the classes that came, `shares` of the training rows.

    What is said is the most probable class. A metric that cannot be computed, as the recall of a class that never
    came, is null; the macro ones are then of the classes that came or were said.
    """
    size, truth = len(classes), targets.astype(np.int64)
    drawn = draws(int(days.max()) + 1, RESAMPLES)
    said = predictions.argmax(axis=1)
    counts = np.zeros((drawn.shape[1], size, size))
    np.add.at(counts, (days, truth, said), 1)
    matrix = (drawn @ counts.reshape(len(counts), -1)).reshape(-1, size, size)
    costs = drawn @ by_day(days, *_losses(predictions, truth, shares))
    each = _of_each_class(matrix)
    found = {**_answers(matrix, each), **_probabilities(costs, matrix.sum(axis=(1, 2)))}
    table = {
        one: dict(zip(classes, row, strict=True))
        for one, row in zip(classes, matrix[0].astype(int).tolist(), strict=True)
    }
    return {
        **shown(NAME, found, confusion_matrix=table),
        "per_class": [
            {"class": one, "rows": int(matrix[0, i].sum()), "training_share": float(shares[i])}
            | {metric: _with_interval(values[:, i]) for metric, values in each.items()}
            for i, one in enumerate(classes)
        ],
    }


def _with_interval(values: Vector) -> dict[str, Any]:
    value, _, interval = described(values)
    return {"value": value, "interval": interval}


def _of_each_class(matrix: Vector) -> dict[str, Vector]:
    """Precision, recall and F1, [draws, classes]; matrix is [draws, truth, said]."""
    hits, came, said = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=2), matrix.sum(axis=1)
    return {"precision": ratio(hits, said), "recall": ratio(hits, came), "f1": ratio(2 * hits, came + said)}


def _answers(matrix: Vector, each: dict[str, Vector]) -> dict[str, Vector]:
    hits, came, said = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(axis=2), matrix.sum(axis=1)
    rows = came.sum(axis=1)
    right = hits.sum(axis=1)
    agreement = right * rows - (came * said).sum(axis=1)
    spread = (rows**2 - (came**2).sum(axis=1)) * (rows**2 - (said**2).sum(axis=1))
    weights = came / rows[:, None]
    weighted = {f"weighted_{name}": _nan_sum(weights * values) for name, values in each.items()}
    return {
        "accuracy": ratio(right, rows),
        "balanced_accuracy": _nan_mean(each["recall"]),
        "macro_precision": _nan_mean(each["precision"]),
        "macro_f1": _nan_mean(each["f1"]),
        **weighted,
        "mcc": ratio(agreement, np.sqrt(spread)),
        "accuracy_best_constant_classifier": came.max(axis=1) / rows,
    }


def _losses(predictions: Vector, truth: Any, shares: Vector) -> tuple[Vector, ...]:
    """Log loss and Brier score of each row, and the same of the shares of the training rows."""
    found = []
    came = np.zeros_like(predictions)
    came[np.arange(len(truth)), truth] = 1
    for p in (predictions, np.broadcast_to(shares, predictions.shape)):
        of_truth = np.maximum(LEAST_PROBABILITY, p[np.arange(len(truth)), truth])
        found += [-np.log(of_truth), ((p - came) ** 2).sum(axis=1)]
    return tuple(found)


def _probabilities(costs: Vector, rows: Vector) -> dict[str, Vector]:
    """A skill is 1 for a perfect model, 0 for the shares of the training rows."""
    log_loss, brier, base_log_loss, base_brier = costs.T
    return {
        "log_loss": log_loss / rows,
        "brier": brier / rows,
        "log_loss_skill": 1 - ratio(log_loss, base_log_loss),
        "brier_skill": 1 - ratio(brier, base_brier),
    }


def _nan_mean(values: Vector) -> Vector:
    there = np.isfinite(values)
    return ratio(np.where(there, values, 0).sum(axis=1), there.sum(axis=1))


def _nan_sum(values: Vector) -> Vector:
    return np.asarray(np.nansum(values, axis=1))
