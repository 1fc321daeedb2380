"""The delivery's stages and what each step runs, as docs/delivery.md says: also those that no push happens to need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.delivery import Delivery
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.scenarios.promises.deployed import Deployed

MINUTES_OF_A_DAY = 1440
COMPUTER = "BUILD_GENERAL1_MEDIUM"
STAGES = ("Image", "Deploy", "Train", "Wait", "Prove")
"""Of each environment, in this order."""
ON_FAILURE = {"Image": "RETRY", "Deploy": "ROLLBACK", "Train": "RETRY"}


@dataclass(frozen=True)
class Step:
    """What a project runs, and for how long at most."""

    minutes: int
    says: tuple[str, ...]
    builds_images: bool = False


STEPS = {
    "Verify": Step(45, ("make check-model", "make test")),
    "Image": Step(30, ("make setup", " image "), builds_images=True),
    "Deploy": Step(90, ('make "$TARGET" ',)),
    "Train": Step(15, ("make setup", " train ")),
    "Prove": Step(15, ("make setup", " smoke")),
}


def wrong(deployed: Deployed) -> Iterator[str]:
    """Nothing, where no delivery is deployed."""
    for project in deployed.of_type("AWS::CodeBuild::Project"):
        kind = next((kind for kind in STEPS if project.logical_id.endswith(f"{kind}Project")), "")
        if kind:
            yield from _wrong_step(project, STEPS[kind])
        else:
            yield f"nobody says what {project.id} must run; say it in {__name__}"
    for pipeline in deployed.of_type("AWS::CodePipeline::Pipeline"):
        if deployed.delivery and pipeline.id == deployed.names.delivery_pipeline:
            yield from _wrong_stages(pipeline, deployed.delivery)


def _wrong_step(project: Resource, step: Step) -> Iterator[str]:
    given, computer = project.properties, project.properties["Environment"]
    commands = json.loads(given["Source"]["BuildSpec"])["phases"]["build"]["commands"]
    for said in step.says:
        if not any(said in f"{command} " for command in commands):
            yield f"{project.id} does not run {said.strip()!r}"
    for what, found, wanted in (
        ("TimeoutInMinutes", given.get("TimeoutInMinutes"), step.minutes),
        ("ComputeType", computer.get("ComputeType"), COMPUTER),
        ("PrivilegedMode", _flag(computer.get("PrivilegedMode", False)), step.builds_images),
    ):
        if found != wanted:
            yield f"{project.id}: {what} is {found}, not {wanted}"


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"


def _wrong_stages(pipeline: Resource, delivery: Delivery) -> Iterator[str]:
    stages = {stage["Name"]: stage for stage in pipeline.properties["Stages"]}
    wanted = ["Source", "Verify"] + [f"{env}-{stage}" for env in delivery.environments for stage in STAGES]
    if list(stages) != wanted:
        yield f"{pipeline.id} has the stages {', '.join(stages)}, not {', '.join(wanted)}"
        return
    if pipeline.properties.get("ExecutionMode") != delivery.execution.upper():
        yield f"{pipeline.id}: ExecutionMode is {pipeline.properties.get('ExecutionMode')}"
    for name, stage in stages.items():
        result = stage.get("OnFailure", {}).get("Result")
        if result != ON_FAILURE.get(name.rpartition("-")[2]):
            yield f"{pipeline.id}: {name} that fails leads to {result}"
        for action in stage["Actions"]:
            minutes = action.get("TimeoutInMinutes")
            if name.endswith("-Wait") and minutes != delivery.wait_days * MINUTES_OF_A_DAY:
                yield f"{pipeline.id}: {name} waits {minutes} minutes"
