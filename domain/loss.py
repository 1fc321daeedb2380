"""How wrong one prediction is. Lower is better, and the mean over rows is what gates and alarms compare."""

from __future__ import annotations

from collections.abc import Sequence

TASKS = ("binary", "regression")


def row_loss(task: str, prediction: float, target: float) -> float:
    """The squared error; for a probability and an outcome of 0 or 1 that is the Brier score.

    >>> row_loss("binary", 0.75, 1)
    0.0625
    >>> row_loss("regression", 10.0, 13.0)
    9.0
    >>> row_loss("binary", 0.5, 2)
    Traceback (most recent call last):
    ValueError: got target 2 and prediction 0.5 for a binary task, allowed are a target of 0 or 1 and 0 to 1
    """
    if task not in TASKS:
        raise ValueError(f"got task {task!r}, allowed are {', '.join(TASKS)}")
    if task == "binary" and (target not in (0, 1) or not 0 <= prediction <= 1):
        raise ValueError(
            f"got target {target} and prediction {prediction} for a binary task, "
            "allowed are a target of 0 or 1 and 0 to 1"
        )
    return (prediction - target) ** 2


def expected_loss(task: str, prediction: float) -> float:
    """The loss that an answer itself leads to expect: of a probability p it is p (1 - p), of a number nothing is known.

    On a stormy day a good model is wrong more often and says so; what lies beyond its expectation is the model's fault.

    >>> expected_loss("binary", 0.25), expected_loss("regression", 10.0)
    (0.1875, 0.0)
    """
    return prediction * (1 - prediction) if task == "binary" else 0.0


def mean_loss(task: str, predictions: Sequence[float], targets: Sequence[float]) -> float:
    """The mean of the rows' losses.

    >>> mean_loss("binary", [0.5, 1.0], [1, 1])
    0.125
    """
    losses = [row_loss(task, p, y) for p, y in zip(predictions, targets, strict=True)]
    if not losses:
        raise ValueError("got no rows, a mean loss needs at least one")
    return sum(losses) / len(losses)


def base_rate_loss(task: str, base_rate: float, targets: Sequence[float]) -> float:
    """The loss of a model that knows nothing but the mean of its training targets.

    >>> base_rate_loss("binary", 0.5, [0, 1, 1])
    0.25
    """
    return mean_loss(task, [base_rate] * len(targets), targets)
