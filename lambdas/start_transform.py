"""Once a day, where the model serves by batch: predict the files that came, with the model that is live."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.events import iso
from domain.names import MODEL_OUTPUT, Prefix
from domain.releases import ReleaseRecord
from domain.settings import StartTransformSettings
from domain.transforms import (
    NOT_RUN,
    STARTED,
    Transform,
    decide_transform,
    failure,
    job_name,
    manifest,
    pending_files,
)
from lambdas import aws, people
from lambdas.ledger import Ledger, utc_now
from lambdas.transforms import Transforms


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Any event -> the decision, and the job if one was started. What came twice is one transform."""
    settings = StartTransformSettings.from_env(os.environ)
    ledger, transforms = Ledger(settings.ledger_table), Transforms(settings.ledger_table)
    _look_after_lost(settings, transforms)
    listed, past, serving = _listed(settings), transforms.all(), ledger.serving()
    stack = aws.stack(settings.serving_stack)
    model = _model(stack)
    decision = decide_transform(
        listed=listed,
        past=past,
        serving=serving,
        deployment=settings.deployment,
        model_name=model,
        stack_status=stack["StackStatus"],
    )
    aws.log("transform decided", verdict=decision.verdict, rule=decision.rule, reasons=decision.reasons)
    if decision.verdict != "start" or serving is None or model is None:
        return decision.to_json()
    return _start(settings, ledger, transforms, decision, pending_files(listed, past), serving, model)


def _start(
    settings: StartTransformSettings,
    ledger: Ledger,
    transforms: Transforms,
    decision: Decision,
    files: tuple[str, ...],
    serving: tuple[str, str],
    model: str,
) -> dict[str, Any]:
    now, (release_id, package_arn) = utc_now(), serving
    release = next(one for one in ledger.releases() if one["release_id"] == release_id)
    transform = Transform(
        job=job_name(settings.deployment, now),
        release_id=release_id,
        package_arn=package_arn,
        model_name=model,
        # What `choose_instance` put first when the release was made.
        instance_type=ReleaseRecord.from_parameter(release["parameter"]).instance_types[0],
        files=files,
        started_at=iso(now),
        values=release.get("values", 1),
    )
    if not transforms.take(transform):
        return {"verdict": "skip", "rule": "claimed-before", "job": transform.job}
    ledger.record(decision, subject=transform.job, now=now)
    try:
        _create(settings, transform)
    except ClientError as error:
        _not_started(settings, ledger, transforms, transform, str(error))
        return {"verdict": "failed", "rule": "not-started", "job": transform.job}
    aws.log("transform started", job=transform.job, files=len(files), model=model)
    return {**decision.to_json(), "job": transform.job}


def _create(settings: StartTransformSettings, transform: Transform) -> None:
    key = f"{Prefix.TRANSFORMS}{transform.job}.json"
    body, bucket = manifest(settings.data_bucket, transform.files).encode(), settings.artefacts_bucket
    aws.write(aws.client("s3"), bucket, key, body, kms_key_arn=settings.kms_key_arn)
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{bucket}/{key}"}}
    aws.client("sagemaker").create_transform_job(
        TransformJobName=transform.job,
        ModelName=transform.model_name,
        BatchStrategy="MultiRecord",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={
            "S3OutputPath": f"s3://{settings.data_bucket}/{Prefix.PREDICTIONS}{transform.job}",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "KmsKeyId": settings.kms_key_arn,
        },
        DataProcessing={"JoinSource": "Input"},
        TransformResources={
            "InstanceType": transform.instance_type,
            "InstanceCount": settings.instance_count,
            "VolumeKmsKeyId": settings.kms_key_arn,
        },
    )


def _not_started(
    settings: StartTransformSettings, ledger: Ledger, transforms: Transforms, was: Transform, why: str
) -> None:
    """SageMaker refused it: no file was tried, people are told, and all of them go with the next."""
    now = replace(was, status=NOT_RUN, reason=f"it was not started: {why}")
    transforms.close(was, now)
    people.tell(
        ledger,
        settings.topic_arn,
        about=f"transform {was.job}",
        subject=f"{settings.deployment}: a batch was not started",
        message=f"{settings.deployment}: {failure(now, transforms.all())}",
    )


def _look_after_lost(settings: StartTransformSettings, transforms: Transforms) -> None:
    """One that has ended and whose event was lost, or that was claimed and never asked for."""
    for one in transforms.all():
        if one.status == STARTED:
            event = {"cause": "look", "job": one.job}
            aws.invoke(aws.client("lambda"), settings.record_transform_function, event)


def _listed(settings: StartTransformSettings) -> list[str]:
    """The request files of the last days, as folders are named."""
    last = utc_now()
    first = last - timedelta(days=settings.lookback_days)
    return list(
        aws.keys(
            aws.client("s3"),
            settings.data_bucket,
            Prefix.REQUESTS,
            first=f"{first:%Y/%m/%d}",
            last=f"{last:%Y/%m/%d}",
        )
    )


def _model(stack: dict[str, Any]) -> str | None:
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    return outputs.get(MODEL_OUTPUT)
