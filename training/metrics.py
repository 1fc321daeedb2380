"""Metrics in SageMaker's model-quality format, which the model registry shows beside a package, and their intervals.

Each is a function of sums that add up over days, so that a thousand draws of days cost milliseconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.resampling import Days, by_day, described, draws

Vector = NDArray[np.float64]
RESAMPLES = 1000
BINS = 400
"""Of equally many scores: enough that a draw's AUC is off by less than its own interval."""
CLIP = 1e-7
"""A probability of exactly 0 or 1 that is wrong would cost infinitely much."""


def model_quality(
    task: str,
    predictions: Vector,
    targets: Vector,
    days: Days,
    *,
    threshold: float,
    base_rate: float,
    features: int,
) -> dict[str, Any]:
    """`days` numbers each row's day; `threshold` makes an answer of a probability, `base_rate` is of the training rows.

    A metric that cannot be computed, as AUC of one class, is null.
    """
    drawn = draws(int(days.max()) + 1, RESAMPLES)
    if task == "regression":
        found = _regression(drawn @ by_day(days, *_errors(predictions, targets)), features)
        return shown("regression_metrics", found)
    said, true = predictions >= threshold, targets > 0
    cells = [~true & ~said, ~true & said, true & ~said, true & said]
    sums = drawn @ by_day(days, *(cell.astype(np.float64) for cell in cells))
    costs = drawn @ by_day(days, *_losses(predictions, targets, base_rate))
    found = {**_answers(*sums.T), **_probabilities(costs, sums), **_ranking(predictions, true, days, drawn)}
    (tn, fp, fn, tp), no, yes = sums[0].astype(int).tolist(), "0", "1"
    matrix = {no: {no: tn, yes: fp}, yes: {no: fn, yes: tp}}
    return shown("binary_classification_metrics", found, confusion_matrix=matrix)


def _answers(tn: Vector, fp: Vector, fn: Vector, tp: Vector) -> dict[str, Vector]:
    """Of the answers that the threshold makes."""
    mcc = ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    recall = ratio(tp, tp + fn)
    return {
        "accuracy": ratio(tp + tn, tp + tn + fp + fn),
        "precision": ratio(tp, tp + fp),
        "recall": recall,
        "true_positive_rate": recall,
        "true_negative_rate": ratio(tn, tn + fp),
        "false_positive_rate": ratio(fp, fp + tn),
        "false_negative_rate": ratio(fn, fn + tp),
        "balanced_accuracy": (recall + ratio(tn, tn + fp)) / 2,
        "f0_5": _f(0.5, fp, fn, tp),
        "f1": _f(1, fp, fn, tp),
        "f2": _f(2, fp, fn, tp),
        "mcc": mcc,
        "accuracy_best_constant_classifier": np.maximum(tp + fn, tn + fp) / (tp + tn + fp + fn),
    }


def _f(beta: float, fp: Vector, fn: Vector, tp: Vector) -> Vector:
    weighted = (1 + beta**2) * tp
    return ratio(weighted, weighted + beta**2 * fn + fp)


def _losses(predictions: Vector, targets: Vector, base_rate: float) -> tuple[Vector, ...]:
    """Brier score and log loss of each row, and the same of the base rate."""
    found = []
    for p in (predictions, np.full_like(predictions, base_rate)):
        clipped = np.clip(p, CLIP, 1 - CLIP)
        found += [(p - targets) ** 2, -np.log(np.where(targets > 0, clipped, 1 - clipped))]
    return tuple(found)


def _probabilities(costs: Vector, sums: Vector) -> dict[str, Vector]:
    """Of the probabilities themselves. A skill is 1 for a perfect model, 0 for the base rate."""
    brier, log_loss, base_brier, base_log_loss = costs.T
    rows = sums.sum(axis=1)
    return {
        "brier": brier / rows,
        "log_loss": log_loss / rows,
        "brier_skill": 1 - ratio(brier, base_brier),
        "log_loss_skill": 1 - ratio(log_loss, base_log_loss),
    }


def _ranking(predictions: Vector, true: NDArray[np.bool_], days: Days, drawn: Vector) -> dict[str, Vector]:
    """AUC and average precision: of all rows by every score, of the draws by bins of scores."""
    scores, exact = np.unique(predictions, return_inverse=True)
    edges = np.unique(np.quantile(predictions, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins, size = np.searchsorted(edges, predictions, side="right"), len(edges) + 1
    shape = (drawn.shape[1], 2, size)
    flat = np.ravel_multi_index((days, true.astype(int), bins), shape)
    counted = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape[0], -1)
    resampled = (drawn @ counted).reshape(-1, 2, size)
    whole = np.stack([np.bincount(exact[true == one], minlength=len(scores)) for one in (False, True)])
    auc, precision = (
        np.concatenate([[of_all], of_draws[1:]])
        for of_all, of_draws in zip(areas(whole), areas(resampled), strict=True)
    )
    positive, rows = drawn @ by_day(days, true.astype(np.float64)), drawn @ by_day(days, np.ones(len(days)))
    prevalence = (positive / rows)[:, 0]
    skill = ratio(precision - prevalence, 1 - prevalence)
    return {"auc": auc, "au_prc": precision, "au_prc_of_chance": prevalence, "au_prc_skill": skill}


def areas(counts: NDArray[Any]) -> tuple[Vector, Vector]:
    """AUC and average precision of counts of class 0 and 1 by rising score, [..., 2, scores]; ties count half."""
    negative, positive = counts[..., 0, :].astype(np.float64), counts[..., 1, :].astype(np.float64)
    below = np.cumsum(negative, axis=-1) - negative
    of_negative, of_positive = negative.sum(axis=-1), positive.sum(axis=-1)
    auc = ratio((positive * (below + negative / 2)).sum(axis=-1), of_negative * of_positive)
    hits, misses = (np.cumsum(one[..., ::-1], axis=-1)[..., ::-1] for one in (positive, negative))
    precision = hits / np.maximum(hits + misses, 1e-300)
    return auc, ratio((positive * precision).sum(axis=-1), of_positive)


def _errors(predictions: Vector, targets: Vector) -> tuple[Vector, ...]:
    """Sums of these make every metric of a regression."""
    errors, around = predictions - targets, targets - targets.mean()
    return np.ones_like(errors), np.abs(errors), errors**2, errors, around, around**2


def _regression(sums: Vector, features: int) -> dict[str, Vector]:
    rows, absolute, squared, error, target, target_squared = sums.T
    spread = target_squared / rows - (target / rows) ** 2
    spread = np.where(spread > 1e-12 * np.maximum(1, target_squared / rows), spread, 0)
    mse = squared / rows
    r2 = 1 - ratio(mse, spread)
    free = rows - features - 1
    return {
        "mae": absolute / rows,
        "mse": mse,
        "rmse": np.sqrt(mse),
        "r2": r2,
        "adjusted_r2": np.where(free > 0, 1 - (1 - r2) * ratio(rows - 1, free), np.nan),
        "explained_variance": 1 - ratio(mse - (error / rows) ** 2, spread),
        "mean_error": error / rows,
    }


def ratio(part: Any, whole: Any) -> Vector:
    """NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    found = np.full(np.broadcast(part, whole).shape, np.nan)
    return np.asarray(np.divide(part, whole, out=found, where=whole != 0))


def shown(name: str, metrics: dict[str, Vector], **beside: Any) -> dict[str, Any]:
    """In the registry's format, and the 95% interval of each metric over draws of days, null where it has none."""
    found = {metric: described(values) for metric, values in metrics.items()}
    values = {metric: {"value": value, "standard_deviation": sd} for metric, (value, sd, _) in found.items()}
    return {name: {**beside, **values}, "intervals": {metric: one[2] for metric, one in found.items()}}
