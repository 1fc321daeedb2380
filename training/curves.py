"""What a plot needs: the ROC and the precision-recall curve, and calibration, each at a few points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
POINTS = 101
GROUPS = 10


def curves(predictions: Vector, targets: Vector) -> dict[str, Any]:
    """Both curves in the model-quality format, empty for one class; and how often what was said came true."""
    order = np.argsort(-predictions, kind="stable")
    hits = np.cumsum(targets[order] > 0)
    rows = np.arange(1, len(order) + 1)
    ends = np.append(np.flatnonzero(np.diff(predictions[order])), len(order) - 1)
    hits, rows = hits[ends], rows[ends]
    positive, negative = int(hits[-1]), int(rows[-1] - hits[-1])
    if not positive or not negative:
        roc: list[list[float]] = [[], []]
        pr: list[list[float]] = [[], []]
    else:
        few = np.unique(np.linspace(0, len(ends) - 1, POINTS).astype(int))
        fpr, tpr = (rows - hits)[few] / negative, hits[few] / positive
        roc = [[0.0, *_rounded(fpr)], [0.0, *_rounded(tpr)]]
        pr = [_rounded((hits / rows)[few]), _rounded(tpr)]
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": roc[0],
            "true_positive_rates": roc[1],
        },
        "precision_recall_curve": {"precisions": pr[0], "recalls": pr[1]},
    }


def calibration(predictions: Vector, targets: Vector) -> dict[str, Any]:
    """Rows in ten groups of rising probability: how many, what was said on average, how often it came true.

    `expected_calibration_error` is the mean distance of the two, weighted by rows.
    """
    order = np.argsort(predictions, kind="stable")
    groups = [part for part in np.array_split(order, GROUPS) if len(part)]
    found = [
        {
            "rows": len(part),
            "said": float(predictions[part].mean()),
            "came_true": float((targets[part] > 0).mean()),
        }
        for part in groups
    ]
    error = sum(g["rows"] * abs(g["said"] - g["came_true"]) for g in found) / len(predictions)
    return {"groups": found, "expected_calibration_error": error}


def _rounded(values: Vector) -> list[float]:
    return [round(float(value), 6) for value in values]
