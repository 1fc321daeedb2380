"""The graph over two matrices answers as the one over single columns does."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, load_from_string
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.training.job import Job, model_py, rows_of
from training.artefact import NUMBERS, Model, Table
from training.errors import Refused
from training.graph import merge_inputs
from training.schema import Schema

ALL = {"a": "number", "b": "number", "c": "number"}


def operators(job: Job) -> list[str]:
    graph = load_from_string((job.base / "model/model.onnx").read_bytes())
    return [node.op_type for node in graph.graph.node]


def trained(job: Job, *columns: str) -> Model:
    def estimator() -> object:
        return make_pipeline(make_column_transformer((StandardScaler(), list(columns))), LogisticRegression())

    job.use(model_py(FEATURES={"heat": "number", "wind": "number"}, estimator=estimator))
    job.trained([row | {"wind": row["wind"] or "1"} for row in rows_of()])
    return Model.from_directory(job.base / "model")


def test_columns_that_a_model_takes_in_their_order_are_not_taken_apart(job: Job) -> None:
    model = trained(job, "heat", "wind")
    assert "Split" not in operators(job)
    assert model.answer(Table(np.array([[1, 2], [39, 2]], np.float32), np.empty((0, 0)))).shape == (2,)


def test_columns_in_another_order_keep_their_meaning(job: Job) -> None:
    model = trained(job, "wind", "heat")
    assert "Split" in operators(job)
    cold, hot = model.predict({"heat": [1.0, 39.0], "wind": [2.0, 2.0]})
    assert cold < 0.3 < 0.7 < hot


@pytest.mark.parametrize("version", [13, 21])
def test_operators_of_any_version_take_the_matrix_apart(version: int) -> None:
    column = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ALL]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 3])
    node = helper.make_node("Concat", ["c", "a", "b"], ["out"], axis=1)
    graph = helper.make_graph([node], "g", column, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)
    merged = Model(merge_inputs(model, SCHEMA).SerializeToString(), SCHEMA)
    assert merged.predict({"a": [1], "b": [2], "c": [3]}) == [2]


def test_a_graph_that_uses_the_name_of_an_input_is_refused() -> None:
    node = helper.make_node("Identity", ["a"], [NUMBERS])
    given = [helper.make_tensor_value_info("a", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph([node], "g", given, [])
    with pytest.raises(Refused, match=NUMBERS):
        merge_inputs(helper.make_model(graph), SCHEMA)


SCHEMA = Schema.of("binary", "y", "t", ALL)


def test_a_model_of_an_input_a_feature_as_they_were_made_before_answers_the_same() -> None:
    kinds = {"a": TensorProto.FLOAT, "b": TensorProto.STRING, "c": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 1])
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["b"],
            ["known"],
            domain="ai.onnx.ml",
            keys_strings=["x", "y"],
            values_floats=[10.0, 20.0],
        ),
        helper.make_node("Mul", ["known", "c"], ["times"]),
        helper.make_node("Sub", ["a", "times"], ["out"]),
    ]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 2)]
    graph = helper.make_graph(nodes, "g", inputs, [out])
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    model = Model(content, Schema.of("binary", "y", "t", {"a": "number", "b": "category", "c": "number"}))
    assert list(model.predict({"a": [1, 2], "b": ["x", "y"], "c": [3, 4]})) == [-29, -78]
