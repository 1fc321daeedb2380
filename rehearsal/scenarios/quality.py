"""How good the served predictions were, against nobody retraining and against the calendar retraining."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.classes import outcome
from domain.loss import mean_loss
from rehearsal.scenarios.calendar import Calendar
from rehearsal.scenarios.calendar_models import Predictions, firsts
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.traffic import Answer, World
from rehearsal.scenarios.turn import Scenario

NEVER = "never-retrained"
ROWS_PER_REQUEST = 5000


@dataclass(frozen=True)
class Quality:
    """Mean loss over the same rows; lower is better."""

    rows: int
    served: float
    never_retrained: float
    calendar: float | None
    calendar_runs: int
    calendar_failed: str = ""


def compare(
    deployment: Deployment,
    scenario: Scenario,
    world: World,
    schema: dict[str, Any],
    calendar: Calendar | None,
) -> Quality | None:
    """Ask the first model again all that later models answered, on an endpoint of its own that nothing watches.

    The calendar's models answer in memory.
    """
    answered = [answer for answer in world.answers if answer.predictions]
    if not answered:
        return None
    first = answered[0].model
    later = [answer for answer in answered if answer.model != first]
    never = {answer.inference_id: answer.predictions for answer in answered if answer.model == first}
    if later:
        never |= _ask_first_model(deployment, later)
    task, classes = schema["task"], schema.get("classes", ())
    labels = [outcome(task, classes, label) for answer in answered for label in answer.labels]
    served = [p for answer in answered for p in answer.predictions]
    dated, failed = dict(never), ""
    try:
        dated |= calendar.predictions() if calendar else {}
    except RuntimeError as error:
        failed = str(error)

    def loss(alternative: Predictions) -> float:
        return mean_loss(task, [p for a in answered for p in alternative[a.inference_id]], labels)

    return Quality(
        rows=len(labels),
        served=mean_loss(task, served, labels),
        never_retrained=loss(never),
        calendar=None if failed else loss(dated),
        calendar_runs=1 + len(firsts(scenario.start, scenario.end)),
        calendar_failed=failed,
    )


def _ask_first_model(deployment: Deployment, answers: Sequence[Answer]) -> Predictions:
    sagemaker, runtime = (deployment.account.client(name) for name in ("sagemaker", "sagemaker-runtime"))
    _create_endpoint(sagemaker, deployment.ledger_bodies("RELEASE")[0]["parameter"].split(","), deployment)
    predictions: Predictions = {}
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
    model = deployment.physical_id("serving", "Model", "AWS::SageMaker::Model").rsplit("/", 1)[-1]
    role = sagemaker.describe_model(ModelName=model)["ExecutionRoleArn"]
    container = {"Image": image, "ModelDataUrl": model_data, "Environment": {"TIDELINE_MODEL": package}}
    sagemaker.create_model(ModelName=NEVER, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {
        "VariantName": "live", "ModelName": NEVER, "InitialInstanceCount": 1, "InstanceType": instance_type,
    }  # fmt: skip
    sagemaker.create_endpoint_config(EndpointConfigName=NEVER, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=NEVER, EndpointConfigName=NEVER)
