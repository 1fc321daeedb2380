"""Fit the user's estimator and keep it as ONNX, if ONNX answers as scikit-learn does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from domain.loss import mean_loss
from training import paths, tables, user
from training.artefact import GRAPH, SCHEMA, Model
from training.errors import Refused
from training.fitting import fit, predict
from training.graph import merge_inputs
from training.schema import Schema
from training.thresholds import round_down

OPSET = {"": 21, "ai.onnx.ml": 3}
PARITY_TOLERANCE = 1e-4
PARITY_MAX_SHARE = 1e-3  # float32 may fall on the other side of a tree's threshold now and then


def main() -> None:
    schema = user.schema()
    table = read_channel(paths.channel("train"))
    features, targets = tables.features(table, schema), tables.targets(table, schema)
    fitted = fit(schema, features, targets)
    round_down(fitted)
    expected = predict(schema, fitted, features)
    graph = to_onnx(schema, fitted)
    check_parity(Model(graph, schema).predict(features), expected)
    paths.model().mkdir(parents=True, exist_ok=True)
    (paths.model() / GRAPH).write_bytes(graph)
    (paths.model() / SCHEMA).write_text(schema.to_json(), encoding="utf-8")
    print(f"train:rows={len(table)}")
    print(f"train:loss={mean_loss(schema.task, expected.tolist(), targets.tolist()):.6f}")


def read_channel(directory: Path) -> pd.DataFrame:
    files = sorted(directory.glob("*.csv.gz"))
    if not files:
        raise Refused(f"channel {directory.name!r} holds no csv.gz file; it needs what prepare wrote")
    return pd.concat([tables.read(file) for file in files], ignore_index=True)


def to_onnx(schema: Schema, fitted: Any) -> bytes:
    """The fitted model over two matrices, one of numbers and one of texts; no names or times of this run."""
    inputs = [
        (feature.name, (FloatTensorType if feature.kind == "number" else StringTensorType)([None, 1]))
        for feature in schema.features
    ]
    options = {id(fitted): {"zipmap": False}} if schema.task != "regression" else None
    try:
        graph = convert_sklearn(fitted, "tideline", inputs, options=options, target_opset=OPSET)
    except Exception as error:
        raise Refused(f"model.py: estimator() cannot be written as ONNX: {error}") from error
    if renamed := set(schema.names) - {one.name for one in graph.graph.input}:
        raise Refused(f"model.py: ONNX uses the name {min(renamed)!r} itself; give that feature another name")
    content: bytes = merge_inputs(graph, schema).SerializeToString()
    return content


def check_parity(got: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Differences are relative above 1 and above the answers' own spread: float32 sums of trees for large values
    leave more than a ten-thousandth of a small one. Of several classes the one that differs most counts.
    """
    scale = max(1.0, float(np.std(expected)))
    difference = np.abs(got - expected) / np.maximum(scale, np.abs(expected))
    difference = difference.reshape(len(expected), -1).max(axis=1)
    share = float((difference > PARITY_TOLERANCE).mean())
    print(f"parity:max_difference={difference.max():.9f}")
    print(f"parity:share_over_tolerance={share:.6f}")
    if not share <= PARITY_MAX_SHARE:
        raise Refused(
            f"ONNX answers otherwise than scikit-learn: {share:.2%} of the training rows differ by more than "
            f"{PARITY_TOLERANCE}, allowed are {PARITY_MAX_SHARE:.1%}; simplify estimator() in model.py"
        )
