"""Good on paper, slow under load: the same answers, after a matrix product that each request has to wait for.

Evaluation asks once for all rows and hardly notices; a client asks for a few rows at a time. This file goes into
the image as training/slow.py.
"""

from __future__ import annotations

from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

SIZE = 3000
"""Of the square matrix: 54 thousand million operations a request, beyond the threshold on a fast machine too."""


class Detour(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Gives back what it gets; only its ONNX form works for it."""

    def fit(self, features: Any, _targets: Any = None) -> Detour:
        self.n_features_in_ = features.shape[1]
        return self

    def transform(self, features: Any) -> Any:
        return features


def slow_down(pipeline: Pipeline) -> Pipeline:
    """The pipeline with a detour before its last step."""
    pipeline.steps.insert(len(pipeline.steps) - 1, ("detour", Detour()))
    return pipeline


def _shape(operator: Any) -> None:
    columns = operator.raw_operator.n_features_in_
    operator.outputs[0].type = FloatTensorType([None, columns])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """features + max(0 * 0): a zero that depends on the request's size, so that nobody computes it beforehand."""

    def node(kind: str, inputs: list[str], **attributes: Any) -> str:
        output: str = scope.get_unique_variable_name(kind)
        container.add_node(
            kind, inputs, output, name=scope.get_unique_operator_name(kind), op_version=21, **attributes
        )
        return output

    def constant(name: str, kind: int, shape: list[int], values: list[Any]) -> str:
        unique: str = scope.get_unique_variable_name(name)
        container.add_initializer(unique, kind, shape, values)
        return unique

    float32, int64 = 1, 7
    features = operator.inputs[0].full_name
    rows = node("Cast", [node("Shape", [features])], to=float32)
    zero = node("ReduceSum", [node("Mul", [rows, constant("nothing", float32, [1], [0.0])])], keepdims=0)
    square = node("Expand", [zero, constant("square", int64, [2], [SIZE, SIZE])])
    largest = node("ReduceMax", [node("MatMul", [square, square])], keepdims=0)
    container.add_node(
        "Add",
        [features, largest],
        operator.outputs[0].full_name,
        name=scope.get_unique_operator_name("Add"),
        op_version=21,
    )


update_registered_converter(Detour, "TidelineDetour", _shape, _convert)
