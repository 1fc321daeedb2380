"""The stages of a delivery: what runs in which order, what is skipped, and what happens when a stage fails."""

from __future__ import annotations

import json
from typing import Any

from config.delivery import Delivery
from domain.names import WAIT_ACTION, WAIT_STAGE, Names
from stacks.delivery_projects import Projects
from stacks.delivery_source import ARTEFACT

Stage = dict[str, Any]
MINUTES_A_DAY = 24 * 60
RETRY = {"result": "RETRY", "retryConfiguration": {"retryMode": "FAILED_ACTIONS"}}
"""Once more, by itself: a registry or a package index that was away for a moment."""
ROLLBACK = {"result": "ROLLBACK"}
"""Back to the last push that went through this stage: its templates and its image."""


def check_stages(projects: Projects) -> list[Stage]:
    """What every push and every pull request must pass. A check that fails is a fact: it is not tried again."""
    return [{"name": "Verify", "actions": [_build("Verify", projects.verify())]}]


def environment_stages(
    projects: Projects, names: Names, delivery: Delivery, *, after: Names | None
) -> list[Stage]:
    """One environment: image, deploy, train, wait for the release, prove. `after` is the one before it."""
    image, train = _namespace(names, "Image"), _namespace(names, "Train")
    digest = {"IMAGE": f"#{{{image}.IMAGE}}"}
    deploy = projects.deploy(names)
    build = _build(
        "Build",
        projects.image(names, after),
        variables={"IMAGE": f"#{{{_namespace(after, 'Image')}.IMAGE}}"} if after else {},
        namespace=image,
        order=2,
    )
    storage = _build("Storage", deploy, variables={"TARGET": "storage"})
    asked = {**digest, "DELIVERY": "#{codepipeline.PipelineExecutionId}"}
    trained = _build("Train", projects.train(names), variables=asked, namespace=train)
    return [
        {"name": names.delivery_stage("Image"), "actions": [storage, build], "onFailure": RETRY},
        {
            "name": names.delivery_stage("Deploy"),
            "actions": [_build("Deploy", deploy, variables=digest)],
            "onFailure": ROLLBACK,
        },
        {"name": names.delivery_stage("Train"), "actions": [trained], "onFailure": RETRY},
        {
            "name": names.delivery_stage(WAIT_STAGE),
            "actions": [_wait(names, f"#{{{train}.RUN_ID}}", delivery.wait_days)],
            "beforeEntry": _only_if("Trained", f"#{{{train}.TRAINING}}", "started"),
        },
        {
            "name": names.delivery_stage("Prove"),
            "actions": [_build("Prove", projects.prove(names))],
            "beforeEntry": _only_if("Serves", f"#{{{train}.SERVES}}", "yes"),
        },
    ]


def _namespace(names: Names, step: str) -> str:
    return f"{names.environment}{step}"


def _build(
    name: str, project: str, *, variables: dict[str, str] | None = None, namespace: str = "", order: int = 1
) -> dict[str, Any]:
    given = [{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in (variables or {}).items()]
    return {
        "name": name,
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "configuration": {
            "ProjectName": project,
            **({"EnvironmentVariables": json.dumps(given)} if given else {}),
        },
        "inputArtifacts": [{"name": ARTEFACT}],
        "runOrder": order,
        **({"namespace": namespace} if namespace else {}),
    }


def _wait(names: Names, run: str, days: int) -> dict[str, Any]:
    """An approval costs nothing while it waits, whatever its length; a build or a function would be billed."""
    return {
        "name": WAIT_ACTION,
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
        "configuration": {
            "CustomData": f"{names.deployment} trains {run}; record_release or reconcile answers. "
            "Runbook: docs/runbooks/delivery.md"
        },
        "runOrder": 1,
        "timeoutInMinutes": days * MINUTES_A_DAY,
    }


def _only_if(name: str, variable: str, value: str) -> dict[str, Any]:
    rule = {
        "name": name,
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Value": value, "Operator": "EQ"},
    }
    return {"conditions": [{"result": "SKIP", "rules": [rule]}]}
