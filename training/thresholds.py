"""Thresholds of boosted trees as ONNX can hold them.

A tree asks `value <= threshold`. scikit-learn keeps its thresholds in 64 bits, ONNX in 32, and the converter rounds to
the nearest: a value of 32 bits that lay just above a threshold may then lie on it, and go the other way. Rounded down,
no value of 32 bits changes its side, so that both answer alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def round_down(fitted: Any) -> None:
    """Round the thresholds of HistGradientBoosting models in place, alone or in a pipeline; others stay as they are."""
    for _, step in getattr(fitted, "steps", [("", fitted)]):
        for of_one_round in getattr(step, "_predictors", []):
            for tree in of_one_round:
                tree.nodes["num_threshold"] = below(tree.nodes["num_threshold"])


def below(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest number of 32 bits that is not above.

    >>> float(below(np.array([0.98499998450279]))[0]) < 0.98499998450279
    True
    """
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    down = np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return down.astype(np.float64)
