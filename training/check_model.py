"""Does model.py keep its contract? Everything a training job would ask of it, in seconds, on made-up rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import user
from training.artefact import Model
from training.errors import Refused
from training.fitting import fit, predict
from training.schema import Schema
from training.thresholds import round_down
from training.train import check_parity, to_onnx

ROWS = 1000
MISSING_SHARE = 0.05
WORDS = ("a", "b", "c", "")


def main() -> None:
    schema = user.schema()
    user.ranges(schema)
    features, targets = made_up(schema)
    try:
        fitted = fit(schema, features, targets)
        round_down(fitted)
        expected = predict(schema, fitted, features)
        graph = to_onnx(schema, fitted)
    except Refused:
        raise
    except Exception as error:
        raise Refused(f"model.py: estimator() raised {type(error).__name__}: {error}") from error
    check_parity(Model(graph, schema).predict(features), expected)
    print(f"model.py keeps its contract: estimator() fits, answers {ROWS} rows and can be written as ONNX")


def made_up(schema: Schema) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Rows as training sees them, the same every time: float32 and str, some missing, every class."""
    draw = np.random.default_rng(0)
    columns = {
        feature.name: _numbers(draw) if feature.kind == "number" else draw.choice(WORDS, ROWS).astype(object)
        for feature in schema.features
    }
    noise = draw.uniform(size=ROWS)
    targets = {
        "binary": (noise > 0.7).astype(float),
        "multiclass": np.floor(noise * len(schema.classes)),
        "regression": noise * 100,
    }
    return pd.DataFrame(columns), targets[schema.task]


def _numbers(draw: np.random.Generator) -> NDArray[np.float32]:
    values = draw.uniform(0, 100, ROWS)
    values[draw.uniform(size=ROWS) < MISSING_SHARE] = np.nan
    return values.astype(np.float32)
