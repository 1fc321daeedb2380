"""The delivery stack of a configuration as resolved CloudFormation, read as plain values."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from config.delivery import Delivery, load_delivery
from config.schema import ROOT, load_environments
from tests.stacks.synthesis import DEV, Deployment

CONNECTION = "arn:aws:codeconnections:us-east-1:123456789012:connection/11111111-2222-3333-4444-555555555555"
SOURCES: dict[str, dict[str, Any]] = {
    "s3": {},
    "brought bucket": {"s3": {"bucket": "a-bucket-that-exists", "key": "app/source.zip"}},
    "connection": {
        "connection": {
            "connection_arn": CONNECTION,
            "repository": "acme/model",
            "branch": "main",
            "paths": ["training/**"],
            "ignored_paths": ["docs/**"],
            "pull_requests": {"branches": ["main"]},
        }
    },
    "codecommit": {"codecommit": {"repository": "model"}},
}


def delivery(source: str = "s3", **changes: Any) -> Delivery:
    return Delivery.model_validate({"name": "tideline", "source": SOURCES[source], **changes})


@cache
def committed() -> Deployment:
    """The delivery of config/delivery.yaml."""
    found = load_delivery(ROOT / "config", load_environments())
    assert found is not None
    return synthesise(found)


@cache
def variant(source: str, environments: tuple[str, ...] = ("dev",)) -> Deployment:
    return synthesise(delivery(source, environments=list(environments)))


def synthesise(wanted: Delivery) -> Deployment:
    from stacks.app import build  # starts jsii, so only when a test needs it

    directory = Path(tempfile.mkdtemp(prefix="tideline-delivery-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    build([], delivery=wanted, outdir=directory, context=context).synth()
    template = json.loads((directory / "Delivery.template.json").read_text())
    return Deployment(DEV.model_copy(update={"environment": "delivery"}), directory, {"stack": template})


def pipeline(of: Deployment) -> dict[str, Any]:
    found = [r for r in of.of_type("AWS::CodePipeline::Pipeline") if r.logical_id == "Pipeline"]
    return found[0].properties


def stages(of: Deployment) -> dict[str, dict[str, Any]]:
    return {stage["Name"]: stage for stage in pipeline(of)["Stages"]}
