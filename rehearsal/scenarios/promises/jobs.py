"""What each step of the training pipeline promises: no network, our key on all that it keeps, a limit, and the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from domain.manifest import PARTS, SIGNATURE
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.scenarios.promises.deployed import Deployed
from rehearsal.scenarios.promises.kept import OWN_KEY, PRESENT, at, holds, keys, shown

OF_A_TRAINING = (
    ("EnableNetworkIsolation", True),
    ("ResourceConfig.VolumeKmsKeyId", OWN_KEY),
    ("OutputDataConfig.KmsKeyId", OWN_KEY),
    ("StoppingCondition.MaxRuntimeInSeconds", {"Get": "Parameters.MaxRuntimeSeconds"}),
)
OF_A_PROCESSING = (
    ("NetworkConfig.EnableNetworkIsolation", True),
    ("ProcessingResources.ClusterConfig.VolumeKmsKeyId", OWN_KEY),
    ("ProcessingOutputConfig.KmsKeyId", OWN_KEY),
    ("StoppingCondition.MaxRuntimeInSeconds", PRESENT),
)
APPROVAL = {"automatic": "Approved", "person": "PendingManualApproval"}


def broken(deployed: Deployed) -> Iterator[str]:
    for pipeline in deployed.of_type("AWS::SageMaker::Pipeline"):
        steps = list(_steps(_definition(pipeline)["Steps"]))
        for step, is_gated in steps:
            for path, wanted in _promises(deployed, step["Type"]):
                found = at(step["Arguments"], path)
                if not holds(found, wanted, keys(deployed)):
                    yield f"{pipeline.id} {step['Name']}: {path} is {shown(found)}, not {shown(wanted)}"
            if step["Type"] == "RegisterModel":
                yield from _of_what_is_registered(pipeline, step, is_gated=is_gated)
        if not any(step["Type"] == "RegisterModel" for step, _ in steps):
            yield f"{pipeline.id} registers nothing"


def _of_what_is_registered(pipeline: Resource, step: Mapping[str, Any], *, is_gated: bool) -> Iterator[str]:
    """A gate judged it, and what was signed of it goes along."""
    if not is_gated:
        yield f"{pipeline.id} {step['Name']}: registers what no gate has judged"
    metadata = step["Arguments"].get("CustomerMetadataProperties", {})
    if missing := sorted({*PARTS, SIGNATURE} - metadata.keys()):
        yield f"{pipeline.id} {step['Name']}: registers without {', '.join(missing)}"


def _definition(pipeline: Resource) -> Any:
    body = pipeline.properties["PipelineDefinition"]["PipelineDefinitionBody"]
    return json.loads(body) if isinstance(body, str) else body


def _steps(
    steps: list[Mapping[str, Any]], *, is_gated: bool = False
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each step, those of branches too, and whether it comes only if a condition holds."""
    for step in steps:
        yield step, is_gated
        if step["Type"] == "Condition":
            yield from _steps(step["Arguments"]["IfSteps"], is_gated=True)
            yield from _steps(step["Arguments"]["ElseSteps"])


def _promises(deployed: Deployed, kind: str) -> tuple[tuple[str, Any], ...]:
    approved = ("ModelApprovalStatus", APPROVAL[deployed.config.approval])
    registered = (approved, ("ModelPackageGroupName", deployed.names.model_package_group))
    of_kind = {"Training": OF_A_TRAINING, "Processing": OF_A_PROCESSING, "RegisterModel": registered}
    return of_kind.get(kind, ())
