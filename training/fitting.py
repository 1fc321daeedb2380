"""The user's estimator, fitted and asked; what is wrong with it is told by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import user
from training.errors import Refused
from training.schema import Schema


def fit(schema: Schema, features: pd.DataFrame, targets: NDArray[np.float64]) -> Any:
    try:
        return user.estimator().fit(features, targets if schema.task == "regression" else targets.astype(int))
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused(f"model.py: fitting estimator() raised {type(error).__name__}: {error}") from error


def predict(schema: Schema, fitted: Any, features: pd.DataFrame) -> NDArray[np.float64]:
    """The probability of class 1, or the value; of a multiclass task [rows, classes]."""
    if schema.task == "regression":
        values = fitted.predict(features)
    elif hasattr(fitted, "predict_proba"):
        columns = len(schema.classes) or 2
        values = _of_classes(fitted.predict_proba(features), columns)
        values = values if schema.classes else values[:, 1]
    else:
        raise Refused(f"model.py: estimator() has no predict_proba; a {schema.task} TASK needs probabilities")
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (len(features), *schema.answer_shape) or not np.isfinite(values).all():
        raise Refused(
            f"model.py: estimator() answered {values.shape} with {int((~np.isfinite(values)).sum())} values "
            f"that are not finite, expected finite numbers for each of {len(features)} rows"
        )
    return values


def _of_classes(probabilities: Any, columns: int) -> Any:
    shape = np.shape(probabilities)
    if len(shape) != 2 or shape[1] != columns:
        number = "two" if columns == 2 else columns
        raise Refused(
            f"model.py: predict_proba of estimator() answered {shape}, expected {number} columns: one a class"
        )
    return probabilities
