"""What the model looks at: how much worse it gets when a feature's cells are dealt out anew among held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MAX_ROWS, SHUFFLES = 2000, 2
Vector = NDArray[np.float64]


def permutation_importance(
    features: pd.DataFrame, targets: Vector, predict: Callable[[pd.DataFrame], Vector]
) -> list[dict[str, Any]]:
    """Feature -> by what share its loss of squared errors rises, the greatest first; below 0 is noise.

    Of features that say the same each seems to matter little, for the other one is still there.
    """
    step = -(-len(features) // MAX_ROWS)
    features, targets = features.iloc[::step].reset_index(drop=True), targets[::step]
    whole = float(np.mean((predict(features) - targets) ** 2))
    rng, found = np.random.default_rng(0), []
    for name in features.columns:
        losses = []
        for _ in range(SHUFFLES):
            dealt = features[name].to_numpy()[rng.permutation(len(features))]
            losses.append(float(np.mean((predict(features.assign(**{name: dealt})) - targets) ** 2)))
        found.append({"feature": name, "loss_increase": float(np.mean(losses)) / whole - 1 if whole else 0.0})
    return sorted(found, key=lambda one: (-one["loss_increase"], one["feature"]))
