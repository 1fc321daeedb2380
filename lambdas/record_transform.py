"""A transform ended: keep what it predicted as captured traffic, record it, and tell people what it left."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from domain.events import parse_transform_ended, utc
from domain.names import VARIANT, Prefix
from domain.settings import RecordTransformSettings
from domain.transforms import (
    ENDED,
    NOT_RUN,
    Transform,
    capture_key,
    captured,
    failure,
    outputs_of,
    status_at_end,
)
from lambdas import aws, people
from lambdas.ledger import Ledger
from lambdas.transforms import Transforms

LARGEST_OUTPUT = 50_000_000
"""Bytes; the predictions of a larger file are there, and are not watched."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A transform's end, or `{"cause": "look", "job": name}` -> what became of it. An end is recorded once."""
    settings = RecordTransformSettings.from_env(os.environ)
    transforms = Transforms(settings.ledger_table)
    looks = event.get("cause") == "look"
    job = event["job"] if looks else parse_transform_ended(event, deployment=settings.deployment)
    transform = transforms.open(job)
    if transform is None:
        return {"verdict": "skip", "rule": "recorded-before", "job": job}
    now = _ended(settings, transform)
    if now is None:
        return {"verdict": "wait", "rule": "not-ended", "job": job}
    _tell(settings, now, [now if one.job == job else one for one in transforms.all()])
    transforms.close(transform, now)
    found = {"files": len(now.predicted), "rows": now.rows}
    aws.log("transform recorded", job=job, status=now.status, **found)
    return {"verdict": now.status, "job": job, **found}


def _ended(settings: RecordTransformSettings, transform: Transform) -> Transform | None:
    """The transform with its end, as AWS has it now; None while it goes on. One that is not there was never run."""
    try:
        found = aws.client("sagemaker").describe_transform_job(TransformJobName=transform.job)
    except ClientError as error:
        if "not find" not in str(error) and "not found" not in str(error):
            raise
        return replace(transform, status=NOT_RUN, reason=f"it was never asked for: {error}")
    if found["TransformJobStatus"] not in ENDED:
        return None
    predicted, rows, notes = _capture(settings, transform)
    reason = found.get("FailureReason", "")
    status = status_at_end(found["TransformJobStatus"], reason=reason, predicted=predicted)
    why = "; ".join([*([reason] if reason else []), *notes])
    return replace(transform, status=status, predicted=tuple(predicted), rows=rows, reason=why)


def _capture(settings: RecordTransformSettings, transform: Transform) -> tuple[list[str], int, list[str]]:
    """What each output predicted, written as a capture file; returns the files, their rows and what was left out."""
    s3, at = aws.client("s3"), utc(transform.started_at)
    written = list(aws.keys(s3, settings.data_bucket, f"{Prefix.PREDICTIONS}{transform.job}/"))
    rows, notes, outputs = 0, [], outputs_of(transform, written)
    for file, key in sorted(outputs.items()):
        found = s3.get_object(Bucket=settings.data_bucket, Key=key)
        if found["ContentLength"] > LARGEST_OUTPUT:
            notes.append(
                f"{file} is not watched: its output is above {LARGEST_OUTPUT:,} bytes; split the file"
            )
            continue
        try:
            exchange = captured(found["Body"].read().decode(errors="replace"), file=file, transform=transform)
        except ValueError as error:  # it must not keep the next transform from starting
            notes.append(f"{file} is not watched: {error}")
            continue
        into = capture_key(transform, file, endpoint=settings.endpoint_name, variant=VARIANT, at=at)
        bucket, key_arn = settings.capture_bucket, settings.kms_key_arn
        aws.write(s3, bucket, into, exchange.line.encode(), kms_key_arn=key_arn)
        rows += exchange.rows
    return list(outputs), rows, notes


def _tell(settings: RecordTransformSettings, transform: Transform, past: list[Transform]) -> None:
    said = failure(transform, past)
    if said:
        people.tell(
            Ledger(settings.ledger_table),
            settings.topic_arn,
            about=f"transform {transform.job}",
            subject=f"{settings.deployment}: predictions are missing",
            message=f"{settings.deployment}: {said}",
        )
