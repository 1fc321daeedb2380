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
    features: pd.DataFrame, truth: Vector, predict: Callable[[pd.DataFrame], Vector]
) -> list[dict[str, Any]]:
    """Feature -> by what share its loss of squared errors rises, the greatest first; below 0 is noise.

    `truth` is [rows, values], as tables.truth has it.

    All tables are asked at once, for a model may be slow to ask. Of features that say the same each seems to
    matter little, for the other one is still there.
    """
    step = -(-len(features) // MAX_ROWS)
    features, truth = features.iloc[::step].reset_index(drop=True), truth[::step]
    rng, dealt = np.random.default_rng(0), [features]
    for name in features.columns:
        for _ in range(SHUFFLES):
            cells = features[name].to_numpy()[rng.permutation(len(features))]
            dealt.append(features.assign(**{name: cells}))
    answers = predict(pd.concat(dealt, ignore_index=True)).reshape(len(dealt), *truth.shape)
    whole, *losses = np.mean((answers - truth) ** 2, axis=(1, 2)).tolist()
    found = [
        {"feature": name, "loss_increase": float(np.mean(each)) / whole - 1 if whole else 0.0}
        for name, each in zip(features.columns, np.array(losses).reshape(-1, SHUFFLES), strict=True)
    ]
    return sorted(found, key=lambda one: (-one["loss_increase"], one["feature"]))
