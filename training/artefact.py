"""The trained model as it is kept and served: an ONNX graph and its schema. Loading it runs no code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from domain.archive import ArchiveError, read_files
from domain.manifest import GRAPH as GRAPH
from domain.manifest import MODEL_FILES
from domain.manifest import SCHEMA as SCHEMA
from training.errors import Refused
from training.schema import Schema

NUMBERS, TEXTS = "tideline_numbers", "tideline_texts"
"""The two inputs of the graph."""
DIGEST_DIGITS = 16
NOTHING: NDArray[Any] = np.empty((0, 0), dtype=object)
"""Where a model has no column of a kind."""


@dataclass(frozen=True)
class Table:
    """Rows as the model takes them, columns in the schema's order.

    `numbers` is float32 of [rows, numbers], `texts` str of [rows, categories].
    """

    numbers: NDArray[Any]
    texts: NDArray[Any]


class Model:
    def __init__(self, graph: bytes, schema: Schema) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.schema = schema
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        # A classifier puts its label first and its probabilities last, a column a class; a regressor has one column.
        self._output = self._session.get_outputs()[-1].name
        self._inputs = [one.name for one in self._session.get_inputs()]
        self.digest = hashlib.sha256(graph).hexdigest()[:DIGEST_DIGITS]

    @classmethod
    def from_directory(cls, directory: Path) -> Model:
        return cls((directory / GRAPH).read_bytes(), Schema.from_json((directory / SCHEMA).read_bytes()))

    @classmethod
    def from_archive(cls, archive: Path) -> Model:
        files = read_archive(archive)
        return cls(files[GRAPH], Schema.from_json(files[SCHEMA]))

    def predict(self, columns: Mapping[str, Any]) -> NDArray[np.float64]:
        """Per row the probability of class 1, the value, or one a class; columns are numbers and texts by name."""
        return self.answer(
            Table(
                _matrix(columns, self.schema.of_kind("number"), np.float32),
                _matrix(columns, self.schema.of_kind("category"), object),
            )
        )

    def answer(self, table: Table) -> NDArray[np.float64]:
        """The same of a table that is laid out already; float64."""
        given = {NUMBERS: table.numbers, TEXTS: table.texts}
        if not given.keys() >= set(self._inputs):
            given = self._by_feature(table)
        output: NDArray[np.float32] = self._session.run(
            [self._output], {name: given[name] for name in self._inputs}
        )[0]
        return (output if self.schema.classes else output[:, -1]).astype(np.float64)

    def _by_feature(self, table: Table) -> dict[str, NDArray[Any]]:
        """For a graph of one input a feature, as earlier versions wrote it: a champion may be as old as that."""
        kinds = (("number", table.numbers), ("category", table.texts))
        return {
            name: values[:, i : i + 1]
            for kind, values in kinds
            for i, name in enumerate(self.schema.of_kind(kind))
        }


def _matrix(columns: Mapping[str, Any], names: Sequence[str], dtype: Any) -> NDArray[Any]:
    return np.column_stack([np.asarray(columns[name], dtype=dtype) for name in names]) if names else NOTHING


def read_archive(archive: Path) -> dict[str, bytes]:
    """Exactly the two expected files, read into memory: nothing in the archive reaches the disk."""
    try:
        with archive.open("rb") as stream:
            return read_files(stream, allowed=MODEL_FILES, what=archive.name)
    except ArchiveError as error:
        raise Refused(str(error)) from error
