"""Packages that nobody trained: a released model with its last output changed, put into the registry by a person.

A release does not care where a package is from, and these cost no training.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import onnx

from domain.names import Prefix
from rehearsal.scenarios.deployment import Deployment

GRAPH = "model.onnx"
SIZE = 3000
"""Of the square matrix of a slow model: 54 thousand million operations a request, beyond any fast machine's 250 ms."""

Change = Callable[[onnx.GraphProto, str, str], None]
"""Adds nodes to a graph: from the output that it had, by its new name, to the one of the old name."""


def as_it_is(graph: onnx.GraphProto, before: str, after: str) -> None:
    """A good model: the same answers under another version."""
    _node(graph, "Identity", [before], after)


def shifted(graph: onnx.GraphProto, before: str, after: str) -> None:
    """Its probabilities' square roots: finite and quick, and their mean is far away."""
    _node(graph, "Sqrt", [before], after)


def squared(graph: onnx.GraphProto, before: str, after: str) -> None:
    """Its probabilities' squares: the mean is far away on the other side, where the old one's is many times the new."""
    _node(graph, "Mul", [before, before], after)


def failing(graph: onnx.GraphProto, before: str, after: str) -> None:
    """The logarithm of what is below zero is no number: the server answers each request with 500."""
    _node(graph, "Log", [_node(graph, "Neg", [before], "below")], after)


def slow(graph: onnx.GraphProto, before: str, after: str) -> None:
    """The same answers after a matrix product; its zero depends on the request, so that nobody computes it before."""
    square = onnx.helper.make_tensor("square", onnx.TensorProto.INT64, [2], [SIZE, SIZE])
    graph.initializer.append(square)
    parts = _node(graph, "Sub", [before, before], "nothing")
    zero = _node(graph, "ReduceSum", [parts], "zero", keepdims=0)
    wide = _node(graph, "Expand", [zero, "square"], "wide")
    product = _node(graph, "MatMul", [wide, wide], "product")
    _node(graph, "Add", [before, _node(graph, "ReduceMax", [product], "largest", keepdims=0)], after)


def _node(graph: onnx.GraphProto, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
    graph.node.append(onnx.helper.make_node(kind, inputs, [output], **attributes))
    return output


def bring(deployment: Deployment, like: str, change: Change) -> str:
    """Register a changed copy of the package `like`, which nobody has approved yet; returns its ARN."""
    sagemaker = deployment.account.client("sagemaker")
    package = sagemaker.describe_model_package(ModelPackageName=like)
    [container] = package["InferenceSpecification"]["Containers"]
    archive = changed(deployment.read(container["ModelDataUrl"]), change)
    bucket = container["ModelDataUrl"].split("/")[2]
    number = len(
        sagemaker.list_model_packages(ModelPackageGroupName=package["ModelPackageGroupName"])[
            "ModelPackageSummaryList"
        ]
    )
    key = f"{Prefix.RUNS}brought/{number}-{change.__name__}/model.tar.gz"
    deployment.account.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
    specification: Mapping[str, Any] = {
        **package["InferenceSpecification"],
        "Containers": [{**container, "ModelDataUrl": f"s3://{bucket}/{key}"}],
    }
    created = sagemaker.create_model_package(
        ModelPackageGroupName=package["ModelPackageGroupName"],
        InferenceSpecification=specification,
        ModelMetrics=package["ModelMetrics"],
        ModelApprovalStatus="PendingManualApproval",
    )
    return str(created["ModelPackageArn"])


def changed(archive: bytes, change: Change) -> bytes:
    """A model.tar.gz whose graph is changed, and nothing else; the same bytes each time."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            if file := tar.extractfile(member):
                files[member.name.removeprefix("./")] = file.read()
    model = onnx.load_model_from_string(files[GRAPH])
    after = model.graph.output[-1].name
    before = f"{after}_before"
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == after:
                node.output[place] = before
    change(model.graph, before, after)
    files[GRAPH] = model.SerializeToString()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
