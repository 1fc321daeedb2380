"""How good the served predictions were, against a world in which nobody ever retrained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.loss import mean_loss
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.traffic import Answer, World

NEVER = "never-retrained"
ROWS_PER_REQUEST = 5000


@dataclass(frozen=True)
class Quality:
    """Mean loss over the same rows; lower is better."""

    rows: int
    served: float
    never_retrained: float


def compare(deployment: Deployment, world: World, *, task: str) -> Quality | None:
    """Ask the first model again all that later models answered, on an endpoint of its own that nothing watches."""
    answered = [answer for answer in world.answers if answer.predictions]
    if not answered:
        return None
    first = answered[0].model
    later = [answer for answer in answered if answer.model != first]
    never = {answer.inference_id: answer.predictions for answer in answered if answer.model == first}
    if later:
        never |= _ask_first_model(deployment, later)
    labels = [label for answer in answered for label in answer.labels]
    served = [p for answer in answered for p in answer.predictions]
    alternative = [p for answer in answered for p in never[answer.inference_id]]
    return Quality(len(labels), mean_loss(task, served, labels), mean_loss(task, alternative, labels))


def _ask_first_model(deployment: Deployment, answers: Sequence[Answer]) -> dict[str, tuple[float, ...]]:
    sagemaker, runtime = (deployment.account.client(name) for name in ("sagemaker", "sagemaker-runtime"))
    _create_endpoint(sagemaker, deployment.ledger_bodies("RELEASE")[0]["parameter"].split(","), deployment)
    predictions: dict[str, tuple[float, ...]] = {}
    batch: list[Answer] = []
    for i, answer in enumerate(answers):
        batch.append(answer)
        if sum(len(one.labels) for one in batch) < ROWS_PER_REQUEST and i + 1 < len(answers):
            continue
        body = "".join(one.body for one in batch).encode()
        response = runtime.invoke_endpoint(
            EndpointName=NEVER, ContentType="text/csv", Accept="application/json", Body=body
        )
        values = iter(json.loads(response["Body"].read())["predictions"])
        predictions |= {one.inference_id: tuple(next(values) for _ in one.labels) for one in batch}
        batch = []
    sagemaker.delete_endpoint(EndpointName=NEVER)
    return predictions


def _create_endpoint(sagemaker: Any, record: list[str], deployment: Deployment) -> None:
    _, model_data, image, package, instance_type, *_ = record
    live = sagemaker.describe_endpoint(EndpointName=deployment.names.endpoint)["EndpointConfigName"]
    model = sagemaker.describe_endpoint_config(EndpointConfigName=live)["ProductionVariants"][0]["ModelName"]
    role = sagemaker.describe_model(ModelName=model)["ExecutionRoleArn"]
    container = {"Image": image, "ModelDataUrl": model_data, "Environment": {"TIDELINE_MODEL": package}}
    sagemaker.create_model(ModelName=NEVER, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {
        "VariantName": "live", "ModelName": NEVER, "InitialInstanceCount": 1, "InstanceType": instance_type,
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName=NEVER, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=NEVER, EndpointConfigName=NEVER)
