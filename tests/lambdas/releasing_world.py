"""Packages that are approved, and what release_model is told and did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3

from domain.settings import ReleaseModelSettings
from tests.lambdas.local import DEPLOYMENT, IMAGE, NOW, Local
from tests.lambdas.serving_world import PREFIX, SERVING

SETTINGS = ReleaseModelSettings(
    component="Hosting",
    model_package_group=DEPLOYMENT,
    serving_stack=SERVING,
    release_prefix=PREFIX,
    ledger_table="ledger",
    choose_instance_function="tideline-dev-choose-instance",
    topic_arn="arn:aws:sns:us-east-1:123456789012:people",
    artefacts_bucket="artefacts",
    image_repository=IMAGE.partition("@")[0],
    signing_key_arn="arn:aws:kms:us-east-1:123456789012:key/0-0",
    memory_gib=4.0,
    vcpus=2,
    instance_count=1,
)


def settings(local: Local) -> ReleaseModelSettings:
    return replace(SETTINGS, signing_key_arn=local.signing_key_arn)


Register = Callable[[], str]
Approve = Callable[[str], dict[str, Any]]
Retry = Callable[[], dict[str, Any]]


def parameter(release_id: str) -> str:
    value: str = boto3.client("ssm").get_parameter(Name=f"{PREFIX}{release_id}")["Parameter"]["Value"]
    return value


def close(local: Local, outcome: str) -> None:
    body = local.ledger.open_release_body()
    assert body is not None
    local.ledger.close_release(body, outcome=outcome, now=NOW)


def waiting(local: Local) -> list[str]:
    return [one["package_arn"] for one in local.ledger.waiting()]


def judge_in_registry(package_arn: str, status: str) -> None:
    """Approve or reject in the registry. Moto forgets the metadata that are not given again."""
    sagemaker = boto3.client("sagemaker")
    kept = sagemaker.describe_model_package(ModelPackageName=package_arn).get(
        "CustomerMetadataProperties", {}
    )
    sagemaker.update_model_package(
        ModelPackageArn=package_arn, ModelApprovalStatus=status, CustomerMetadataProperties=kept
    )
