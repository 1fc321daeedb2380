"""Metrics in SageMaker's model-quality format, which the model registry shows beside a package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score

THRESHOLD = 0.5
Vector = NDArray[np.float64]


def model_quality(task: str, predictions: Vector, targets: Vector) -> dict[str, Any]:
    if task == "regression":
        return {"regression_metrics": _values(_regression(predictions, targets))}
    matrix = confusion_matrix(targets > 0, predictions >= THRESHOLD, labels=[False, True]).tolist()
    named = {str(truth): {str(said): row[said] for said in (0, 1)} for truth, row in enumerate(matrix)}
    values = _values(_binary(matrix, predictions, targets))
    return {"binary_classification_metrics": {"confusion_matrix": named, **values}}


def _binary(matrix: list[list[int]], predictions: Vector, targets: Vector) -> dict[str, float | None]:
    (tn, fp), (fn, tp) = matrix
    precision, recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn)
    both_classes = 0 < targets.mean() < 1
    return {
        "auc": float(roc_auc_score(targets, predictions)) if both_classes else None,
        "accuracy": _ratio(tp + tn, tp + tn + fp + fn),
        "precision": precision,
        "recall": recall,
        "true_positive_rate": recall,
        "true_negative_rate": _ratio(tn, tn + fp),
        "false_positive_rate": _ratio(fp, fp + tn),
        "false_negative_rate": _ratio(fn, fn + tp),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def _regression(predictions: Vector, targets: Vector) -> dict[str, float | None]:
    errors = predictions - targets
    mse = float(np.mean(errors**2))
    spread = float(np.mean((targets - targets.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": mse,
        "rmse": mse**0.5,
        "r2": 1 - mse / spread if spread else None,
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _values(metrics: dict[str, float | None]) -> dict[str, Any]:
    """A metric that cannot be computed, as AUC of one class, is null."""
    return {name: {"value": value, "standard_deviation": "NaN"} for name, value in metrics.items()}
