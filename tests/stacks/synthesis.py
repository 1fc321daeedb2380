"""The stacks of a configuration as resolved CloudFormation: synthesised once a session, read as plain values."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from config.schema import ROOT, Bring, Config, Serving, load
from tests.stacks.intrinsics import World

os.environ["CDK_VALIDATION"] = "false"  # the rules run once, in test_conformance

DEV = load(ROOT / "config" / "dev.yaml")
PROD = load(ROOT / "config" / "prod.yaml")
NEIGHBOUR = DEV.model_copy(update={"name": "other-model"})
BROUGHT = DEV.model_copy(
    update={
        "environment": "brought",
        "bring": Bring(
            kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
            data_bucket_name="a-bucket-that-exists",
            permissions_boundary_arn="arn:aws:iam::123456789012:policy/boundary",
        ),
    }
)


NIGHTLY = DEV.model_copy(update={"environment": "nightly", "serving": Serving(mode="batch")})
"""It serves by batch."""


@dataclass(frozen=True)
class Resource:
    """One resource of a template. `properties` are resolved: text, numbers, lists, never an intrinsic."""

    part: str
    logical_id: str
    kind: str
    raw: dict[str, Any]
    properties: dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """All stacks of one environment, by part: storage, training, serving, monitoring, retraining."""

    config: Config
    directory: Path
    templates: dict[str, dict[str, Any]]

    @cached_property
    def world(self) -> World:
        return World({self.stack_name(part): template for part, template in self.templates.items()})

    def stack_name(self, part: str) -> str:
        return f"{self.config.name}-{self.config.environment}-{part}"

    def resolve(self, part: str, value: Any) -> Any:
        return self.world.resolve(self.stack_name(part), value)

    @cached_property
    def resources(self) -> list[Resource]:
        return [
            Resource(part, logical_id, raw["Type"], raw, self.resolve(part, raw.get("Properties", {})))
            for part, template in self.templates.items()
            for logical_id, raw in template["Resources"].items()
        ]

    def of_type(self, kind: str, part: str | None = None) -> list[Resource]:
        return [r for r in self.resources if r.kind == kind and part in (None, r.part)]

    def one(self, kind: str, starts: str = "") -> Resource:
        """The one resource of a type whose logical id starts so."""
        (found,) = (r for r in self.of_type(kind) if r.logical_id.startswith(starts))
        return found

    def function(self, handler: str) -> Resource:
        (found,) = (
            r
            for r in self.of_type("AWS::Lambda::Function")
            if r.properties["Handler"] == f"lambdas.{handler}.handler"
        )
        return found

    def policies_of(self, role_name: str) -> Iterator[dict[str, Any]]:
        """The statements of every policy attached to a role."""
        for policy in self.of_type("AWS::IAM::Policy"):
            if role_name in policy.properties["Roles"]:
                yield from policy.properties["PolicyDocument"]["Statement"]


@cache
def synthesise(config: Config) -> Deployment:
    from stacks.app import build  # starts jsii, so only when a test needs it

    directory = Path(tempfile.mkdtemp(prefix="tideline-synth-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    build([config], outdir=directory, context=context).synth()
    return read(config, directory)


def read(config: Config, directory: Path) -> Deployment:
    """The stacks of one environment in a cloud assembly."""
    nested = directory / f"assembly-{config.environment}"
    artifacts = json.loads((nested / "manifest.json").read_text())["artifacts"].values()
    templates = {}
    for artifact in artifacts:
        if artifact["type"] == "aws:cloudformation:stack":
            properties = artifact["properties"]
            part = properties["stackName"].rsplit("-", 1)[1]
            templates[part] = json.loads((nested / properties["templateFile"]).read_text())
    return Deployment(config, directory, templates)


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]
