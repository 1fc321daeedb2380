"""A release in flight, and what record_release is told and did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from domain.settings import RecordReleaseSettings
from tests.lambdas.local import DEPLOYMENT, NOW, Local
from tests.lambdas.serving_world import PREFIX, SERVING, config_name, record

SETTINGS = RecordReleaseSettings(
    mode="realtime",
    deployment=DEPLOYMENT,
    serving_stack=SERVING,
    endpoint_name=DEPLOYMENT,
    release_prefix=PREFIX,
    ledger_table="ledger",
    topic_arn="",
    release_model_function="tideline-dev-release-model",
    min_requests=10,
    delivery_pipeline="tideline-delivery",
    delivery_stage="dev-Wait",
)
ALARM = f"{config_name('000002')}-rollback-latency"
Settle = Callable[..., dict[str, Any]]


def open_release(local: Local, release_id: str, package_arn: str, *, is_started: bool = True) -> None:
    facts = {
        "package_arn": package_arn,
        "report_uri": "s3://artefacts/runs/run-2/report/report.json",
        "profile_uri": "s3://artefacts/runs/run-2/report/profile.json",
        "heldout_loss": 0.125,
    }
    assert local.ledger.open_release(record(release_id, package_arn, run=2), facts, now=NOW)
    local.ledger.change_open_release(release_id, lambda _: {"is_started": is_started})


def no_champion(local: Local) -> None:
    boto3.client("dynamodb").delete_item(
        TableName="ledger", Key={"pk": {"S": "CHAMPION"}, "sk": {"S": "live"}}
    )


def approval(package: str) -> str:
    found = boto3.client("sagemaker").describe_model_package(ModelPackageName=package)
    return str(found["ModelApprovalStatus"])


def outcomes(local: Local) -> list[tuple[str, str]]:
    return [(one["release_id"], one["outcome"]) for one in local.ledger.releases()]


def rollback_alarm(name: str = ALARM) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "time": "2013-04-20T13:00:00Z",
        "detail": {
            "alarmName": name,
            "state": {
                "value": "ALARM",
                "reason": "3 datapoints above 250000",
                "timestamp": "2013-04-20T13:00:00.000+0000",
            },
        },
    }
