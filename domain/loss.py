"""How wrong one prediction is. Lower is better, and the mean over rows is what gates and alarms compare."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

TASKS = ("binary", "multiclass", "regression")
Prediction = float | Sequence[float]
"""The probability of 1, or the value; of a multiclass task the probability of each class."""
LEAST_PROBABILITY = 1e-6
"""The least that six decimals tell from none: a class that was ruled out and came costs a lot, not endlessly."""
SUM_TOLERANCE = 1e-3


def row_loss(task: str, prediction: Prediction, target: float) -> float:
    """The squared error; for a probability and an outcome of 0 or 1 that is the Brier score. Of classes the log loss.

    Of a multiclass task `target` is the place of the class that came.

    >>> row_loss("binary", 0.75, 1)
    0.0625
    >>> row_loss("regression", 10.0, 13.0)
    9.0
    >>> round(row_loss("multiclass", [0.25, 0.5, 0.25], 1), 4)
    0.6931
    >>> row_loss("binary", 0.5, 2)
    Traceback (most recent call last):
    ValueError: got target 2 and prediction 0.5 for a binary task, allowed are a target of 0 or 1 and 0 to 1
    """
    if task not in TASKS:
        raise ValueError(f"got task {task!r}, allowed are {', '.join(TASKS)}")
    if not isinstance(prediction, int | float) or task == "multiclass":
        return _log_loss(task, prediction, target)
    if task == "binary" and (target not in (0, 1) or not 0 <= prediction <= 1):
        raise ValueError(
            f"got target {target} and prediction {prediction} for a binary task, "
            "allowed are a target of 0 or 1 and 0 to 1"
        )
    return (prediction - target) ** 2


def _log_loss(task: str, prediction: Prediction, target: float) -> float:
    if isinstance(prediction, int | float) or task != "multiclass" or not is_distribution(prediction):
        raise ValueError(
            f"got prediction {prediction} for a {task} task, allowed are probabilities of each class that sum to 1 "
            "for multiclass, and one number for any other"
        )
    if target not in range(len(prediction)):
        raise ValueError(f"got target {target}, allowed are the places of {len(prediction)} classes")
    return -math.log(max(LEAST_PROBABILITY, prediction[int(target)]))


def is_distribution(prediction: Sequence[float]) -> bool:
    """Each from 0 to 1, and 1 in sum but for rounding."""
    return all(0 <= p <= 1 for p in prediction) and abs(sum(prediction) - 1) <= SUM_TOLERANCE


def expected_loss(task: str, prediction: Prediction) -> float:
    """The loss that an answer itself leads to expect: of a probability p it is p (1 - p), of classes the entropy.

    Of a number nothing is known.

    On a stormy day a good model is wrong more often and says so; what lies beyond its expectation is the model's fault.

    >>> expected_loss("binary", 0.25), expected_loss("regression", 10.0)
    (0.1875, 0.0)
    >>> round(expected_loss("multiclass", [0.5, 0.5, 0.0]), 4)
    0.6931
    """
    if not isinstance(prediction, int | float):
        return -sum(p * math.log(max(LEAST_PROBABILITY, p)) for p in prediction)
    return prediction * (1 - prediction) if task == "binary" else 0.0


def mean_loss(task: str, predictions: Sequence[Prediction], targets: Sequence[float]) -> float:
    """The mean of the rows' losses.

    >>> mean_loss("binary", [0.5, 1.0], [1, 1])
    0.125
    """
    losses = [row_loss(task, p, y) for p, y in zip(predictions, targets, strict=True)]
    if not losses:
        raise ValueError("got no rows, a mean loss needs at least one")
    return sum(losses) / len(losses)


def micro_loss(loss: float) -> int:
    """A loss in whole millionths: sums of them do not depend on their order."""
    return round(loss * 1e6)


@dataclass(frozen=True, order=True)
class LossDay:
    """The labelled rows of requests of one UTC day: how many, their loss and what the answers led to expect of it.

    Both sums are whole millionths, so that parts of a day add up in any order.
    """

    day: str
    """yyyy-mm-dd, of the request; when its label came does not matter."""
    rows: int
    micro_loss: int
    micro_expected: int

    def to_list(self) -> list[Any]:
        return list(astuple(self))


def by_day(parts: Iterable[LossDay]) -> list[LossDay]:
    """One entry a day, in the order of the days.

    >>> by_day([LossDay("2013-03-02", 1, 10, 4), LossDay("2013-03-01", 1, 1, 1), LossDay("2013-03-02", 2, 20, 8)])[1]
    LossDay(day='2013-03-02', rows=3, micro_loss=30, micro_expected=12)
    """
    sums: dict[str, list[int]] = {}
    for part in parts:
        total = sums.setdefault(part.day, [0, 0, 0])
        for i, number in enumerate((part.rows, part.micro_loss, part.micro_expected)):
            total[i] += number
    return [LossDay(day, *sums[day]) for day in sorted(sums)]


def row_loss_day(task: str, day: str, prediction: Prediction, target: float) -> LossDay:
    """One labelled row as a part of its day. Raises as `row_loss` does, and OverflowError if the loss is not finite."""
    loss, expected = row_loss(task, prediction, target), expected_loss(task, prediction)
    return LossDay(day, 1, micro_loss(loss), micro_loss(expected))
