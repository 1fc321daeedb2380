"""Serving settled: judge by what the endpoint runs, then crown the champion or reject the package and say so."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from domain.events import iso, parse_stack_settled
from domain.releases import Champion, Observed, ReleaseRecord, judge_release
from domain.settings import RecordReleaseSettings
from lambdas import approvals, aws, people
from lambdas.ledger import Ledger, utc_now


class EndpointBusyError(RuntimeError):
    """The endpoint is still changing; the event is tried again."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The stack's status change -> how the release in flight ended, if there is one."""
    settings = RecordReleaseSettings.from_env(os.environ)
    settled = parse_stack_settled(event, stack=settings.serving_stack)
    ledger, now = Ledger(settings.ledger_table), utc_now()
    body = ledger.open_release_body()
    if body is None:
        _answer_deliveries(settings, ledger, now)  # the handler may have died before it came to that
        return {"verdict": "nothing-in-flight"}
    record = ReleaseRecord.from_parameter(body["parameter"])
    decision = judge_release(record, _observe(settings.endpoint_name), stack_status=settled.status)
    if decision.verdict == "wait":
        raise EndpointBusyError("; ".join(decision.reasons))
    ledger.record(decision, subject=f"{body['release_id']}/{record.package_arn}", now=now)
    if decision.verdict == "live":
        ledger.crown(_champion(body, record, since=iso(now)))
    else:
        _reject(settings, ledger, record, "; ".join(decision.reasons))
    ledger.close_release(body, outcome=decision.verdict, now=now)
    _answer_deliveries(settings, ledger, now)
    aws.log(
        "release recorded", release=body["release_id"], verdict=decision.verdict, reasons=decision.reasons
    )
    return decision.to_json()


def _answer_deliveries(settings: RecordReleaseSettings, ledger: Ledger, now: datetime) -> None:
    approvals.answer(ledger, pipeline=settings.delivery_pipeline, stage=settings.delivery_stage, now=now)


def _observe(endpoint_name: str) -> Observed:
    """Follow the endpoint to the model that it runs: endpoint, configuration, model, container."""
    sagemaker = aws.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        return Observed("Absent", None, None, str(error))
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model["PrimaryContainer"]
    failure = endpoint.get("FailureReason", "")
    return Observed(
        endpoint["EndpointStatus"], container.get("ModelDataUrl"), container.get("Image"), failure
    )


def _champion(body: dict[str, Any], record: ReleaseRecord, *, since: str) -> Champion:
    return Champion(
        release_id=body["release_id"],
        package_arn=record.package_arn,
        model_data=record.model_data,
        image=record.image,
        report_uri=body["report_uri"],
        profile_uri=body["profile_uri"],
        heldout_loss=body["heldout_loss"],
        since=since,
    )


def _reject(settings: RecordReleaseSettings, ledger: Ledger, record: ReleaseRecord, reason: str) -> None:
    aws.client("sagemaker").update_model_package(
        ModelPackageArn=record.package_arn, ModelApprovalStatus="Rejected", ApprovalDescription=reason[:1024]
    )
    people.tell(
        ledger,
        settings.topic_arn,
        about=f"release {record.release_id} failed",
        subject=f"{settings.deployment}: release failed",
        message=f"{settings.deployment}: the release of {record.package_arn} failed: {reason}",
    )
