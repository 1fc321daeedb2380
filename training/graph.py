"""One input for all numbers and one for all texts, instead of one a feature: a call of ONNX Runtime costs by input."""

from __future__ import annotations

from typing import Any

from onnx import ModelProto, TensorProto, checker, helper

from training.artefact import NUMBERS, TEXTS
from training.errors import Refused
from training.schema import Schema

SPLIT_SAYS_HOW_OFTEN = 18
"""From this version of the operators on; before, equal parts are what follows from the number of outputs."""


def merge_inputs(graph: ModelProto, schema: Schema) -> ModelProto:
    """The same model over two inputs of [rows, columns]; columns of a kind stand in the schema's order.

    Raises Refused if the graph uses a feature's name, or one of the two, for something else.
    """
    if taken := {NUMBERS, TEXTS} & {name for node in graph.graph.node for name in node.output}:
        raise Refused(f"model.py: the ONNX graph uses the name {min(taken)!r} itself; rename that step")
    kinds = (
        (NUMBERS, TensorProto.FLOAT, schema.of_kind("number")),
        (TEXTS, TensorProto.STRING, schema.of_kind("category")),
    )
    inputs = [helper.make_tensor_value_info(name, type_, [None, len(of)]) for name, type_, of in kinds if of]
    version = next(one.version for one in graph.opset_import if one.domain in ("", "ai.onnx"))
    parts = [_split(name, of, version) for name, _, of in kinds if of]
    nodes = [_joined(node, NUMBERS, schema.of_kind("number")) for node in graph.graph.node]
    used = {name for node in nodes for name in node.input}
    parts = [part for part in parts if not used.isdisjoint(part.output)]
    del graph.graph.input[:], graph.graph.node[:]
    graph.graph.input.extend(inputs)
    graph.graph.node.extend([*parts, *nodes])
    checker.check_model(graph)
    return graph


def _joined(node: Any, whole: str, parts: tuple[str, ...]) -> Any:
    """A node that joins all the parts in their order again takes the whole: nothing is taken apart then."""
    given = list(node.input)
    if node.op_type != "Concat" or not parts or parts[0] not in given:
        return node
    start = given.index(parts[0])
    end = start + len(parts)
    if tuple(given[start:end]) != parts:
        return node
    given[start:end] = [whole]
    if len(given) == 1:
        return helper.make_node("Identity", given, list(node.output))
    del node.input[:]
    node.input.extend(given)
    return node


def _split(name: str, columns: tuple[str, ...], version: int) -> Any:
    if len(columns) == 1:
        return helper.make_node("Identity", [name], list(columns))
    says: dict[str, Any] = {"num_outputs": len(columns)} if version >= SPLIT_SAYS_HOW_OFTEN else {}
    return helper.make_node("Split", [name], list(columns), axis=1, **says)
