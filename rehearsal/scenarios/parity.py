"""Does the endpoint answer what the released model says? The model is read from its package and run in memory."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from rehearsal.scenarios.deployment import Deployment
    from rehearsal.scenarios.traffic import Answer

TOLERANCE = 1e-5
"""The server rounds to six decimals."""
INPUTS = {"number": "tideline_numbers", "category": "tideline_texts"}
"""The graph takes one matrix a kind, of the features' columns in order."""


@dataclass(frozen=True)
class Parity:
    """How far the endpoint's answers are from the model in memory."""

    rows: int
    largest_difference: float

    @property
    def holds(self) -> bool:
        return self.rows > 0 and self.largest_difference <= TOLERANCE


def check_parity(deployment: Deployment, answer: Answer) -> Parity:
    """Run the champion's model on the rows of one answered request."""
    champion = deployment.ledger_bodies("CHAMPION")[0]
    with tarfile.open(fileobj=io.BytesIO(deployment.read(champion["model_data"]))) as archive:
        files = {
            member.name.removeprefix("./"): file.read()
            for member in archive.getmembers()
            if member.isfile() and (file := archive.extractfile(member))
        }
    expected = in_memory(files["model.onnx"], files["schema.json"], answer.body)
    if len(expected) != len(answer.predictions):
        return Parity(0, float("inf"))
    return Parity(len(expected), float(np.max(np.abs(expected - np.asarray(answer.predictions)))))


def in_memory(graph: bytes, schema: bytes, body: str) -> np.ndarray:
    """What a model answers to a request's body: per row the probability of 1, the value, or one a class."""
    described = json.loads(schema)
    features = described["features"]
    columns = zip(*csv.reader(io.StringIO(body, newline="")), strict=True)
    columns_of: dict[str, list[np.ndarray]] = {"number": [], "category": []}
    for feature, cells in zip(features, columns, strict=True):
        columns_of[feature["kind"]].append(_column(cells, feature["kind"]))
    inputs = {INPUTS[kind]: np.hstack(found) for kind, found in columns_of.items() if found}
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    output = np.asarray(session.run(None, inputs)[-1])
    values: np.ndarray = output[:, -1] if output.ndim == 2 and not described.get("classes") else output
    return values.astype(float)


def _column(cells: Sequence[str], kind: str) -> np.ndarray:
    if kind == "number":
        return np.asarray([float(cell or "nan") for cell in cells], dtype=np.float32)[:, None]
    return np.asarray(cells, dtype=object)[:, None]
