"""The model card of a package, written once, when its run is settled."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from domain.model_card import Card, Origin, model_card
from domain.names import Prefix
from domain.settings import ReconcileSettings
from lambdas import aws, people
from lambdas.ledger import Ledger

STATUS = {"automatic": "Approved", "person": "PendingReview"}
TAKEN = "ConflictException"
"""There is a card of this name: the run was settled before, and its end came again."""


def write(
    settings: ReconcileSettings, ledger: Ledger, run: dict[str, Any], steps: list[dict[str, Any]], spent: int
) -> None:
    """A card for the package that the run registered, if it did. A card that cannot be written holds up no run."""
    found = {name: arn for step in steps for name, arn in _arns(step)}
    if "Register" not in found:
        return
    package_arn, plan = found["Register"], run["plan"]
    name = f"{settings.deployment}-{package_arn.rpartition('/')[2]}"
    try:
        s3, report = aws.client("s3"), f"{Prefix.RUNS}{plan['run_id']}/report"
        evaluated, bias = (
            json.loads(aws.read(s3, settings.artefacts_bucket, f"{report}/{file}"))
            for file in ("report.json", "bias.json")
        )
        origin = Origin(
            deployment=settings.deployment,
            package_arn=package_arn,
            training_arn=found["Train"],
            evaluation_arn=found["Evaluate"],
            model_data=f"s3://{settings.artefacts_bucket}/{Prefix.RUNS}{plan['run_id']}/model",
            image=plan.get("image_digest", ""),
            snapshot_uri=f"s3://{settings.data_bucket}/{Prefix.SNAPSHOTS}{plan['snapshot_id']}/manifest.json",
            cost_usd=spent / 1e6,
        )
        content = model_card(Card.from_text(settings.card), origin, evaluated, bias)
        aws.client("sagemaker").create_model_card(
            ModelCardName=name,
            Content=json.dumps(content),
            ModelCardStatus=STATUS[settings.approval],
            SecurityConfig={"KmsKeyId": settings.kms_key_arn},
        )
    except (ClientError, KeyError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == TAKEN:
            return
        said = (
            f"{settings.deployment}: no model card {name} could be written: {type(error).__name__}: {error}"
        )
        people.tell(ledger, settings.topic_arn, about=f"card {name}", subject="no model card", message=said)


def _arns(step: dict[str, Any]) -> list[tuple[str, str]]:
    """The name of a step, and the ARN of what it made."""
    made = step.get("Metadata", {})
    return [
        (step["StepName"], str(one["Arn"])) for one in made.values() if isinstance(one, dict) and "Arn" in one
    ]
