"""Packages that nobody trained: a released model with its last output changed, put into the registry by a person.

A release asks for the signature alone, which the deployed function gives them, and these cost no training.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import onnx

from domain.archive import inspect
from domain.manifest import GRAPH, MODEL_FILES, PARTS, SIGNATURE
from domain.names import Prefix
from rehearsal.scenarios.deployment import Deployment

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
    """Register a changed copy of the package `like`, signed, which nobody has approved yet; returns its ARN."""
    sagemaker = deployment.account.client("sagemaker")
    package = sagemaker.describe_model_package(ModelPackageName=like)
    group = package["ModelPackageGroupName"]
    [container] = package["InferenceSpecification"]["Containers"]
    number = len(sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"])
    run_id = f"brought-{number}-{change.__name__}"
    archive = changed(deployment.read(container["ModelDataUrl"]), change)
    report_uri = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    model_data, report = _write(deployment, run_id, archive, report_uri)
    asked = {"run_id": run_id, "model_data": model_data, "image": container["Image"]}
    signed = deployment.call("sign_model", asked)
    container = {**container, "ModelDataUrl": model_data}
    quality = {"Statistics": {"ContentType": "application/json", "S3Uri": report}}
    created = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={**package["InferenceSpecification"], "Containers": [container]},
        ModelMetrics={**package["ModelMetrics"], "ModelQuality": quality},
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={name: signed[name] for name in (*PARTS, SIGNATURE)},
    )
    return str(created["ModelPackageArn"])


def _write(deployment: Deployment, run_id: str, archive: bytes, report_uri: str) -> tuple[str, str]:
    """The artefact, and the evidence of the model that it is like, as if it had been judged itself."""
    s3, bucket = deployment.account.client("s3"), report_uri.split("/")[2]

    def put(path: str, body: bytes) -> str:
        s3.put_object(Bucket=bucket, Key=f"{Prefix.RUNS}{run_id}/{path}", Body=body)
        return f"s3://{bucket}/{Prefix.RUNS}{run_id}/{path}"

    whole, files = inspect(io.BytesIO(archive), allowed=MODEL_FILES, what=run_id)
    report = deployment.read_json(report_uri)
    report["plan"]["run_id"] = run_id
    report["artefact"] = {
        "archive": whole.text(),
        "files": {name: one.text() for name, one in files.items()},
    }
    put("plan/plan.json", json.dumps(report["plan"]).encode())
    put("report/profile.json", deployment.read(f"{report_uri.rpartition('/')[0]}/profile.json"))
    model_data = put("model/model.tar.gz", archive)
    return model_data, put("report/report.json", json.dumps(report).encode())


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
