from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from domain.events import iso
from domain.manifest import PARTS, SIGNATURE
from domain.releases import Champion
from lambdas import reconcile, record_release, release_model
from lambdas.ledger import utc_now
from tests.lambdas import releasing_world, settling_world, signing_world
from tests.lambdas.local import DEPLOYMENT, IMAGE, NOW, Local, Scripted
from tests.lambdas.recording_world import SETTINGS, Settle, open_release
from tests.lambdas.releasing_world import Approve, Register, Retry
from tests.lambdas.serving_world import PREFIX, SERVING, Serving, model_data
from tests.lambdas.settling_world import EXECUTION, Reconcile, Runs, report
from tests.lambdas.test_ledger import PLAN

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")


@cache
def client(service: str) -> Any:
    return SESSION.client(service)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """A new account for each test; clients are shared, since making one takes longer than most tests."""
    monkeypatch.setattr(boto3, "client", lambda service, **_: client(service))
    with time_machine.travel(NOW, tick=False) as traveller, mock_aws():
        yield Local(monkeypatch, traveller)


@pytest.fixture
def serving() -> Serving:
    return Serving()


@pytest.fixture
def cloudformation(local: Local, serving: Serving) -> Scripted:
    local.functions["tideline-dev-release-model"] = lambda **_: {"verdict": "release"}
    return serving.install(local)


@pytest.fixture
def package(local: Local, cloudformation: Scripted, serving: Serving) -> str:
    """A package that is Approved and whose release 000002 is in flight; release 000001 is the champion."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=DEPLOYMENT, ModelPackageGroupDescription="x")
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=DEPLOYMENT,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data(2)}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    local.ledger.crown(Champion("000001", "arn:p/1", model_data(1), IMAGE, "s3://r", "s3://p", 0.2, "2013"))
    open_release(local, "000002", arn)
    serving.release = f"{PREFIX}000002"
    return arn


@pytest.fixture
def run(local: Local, cloudformation: Scripted) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda event: local.run(record_release, replace(SETTINGS, topic_arn=local.topic_arn), event)


@pytest.fixture
def settle(run: Callable[[dict[str, Any]], dict[str, Any]], serving: Serving) -> Settle:
    def settled(status: str = "UPDATE_COMPLETE") -> dict[str, Any]:
        serving.status = status
        event = {
            "source": "aws.cloudformation",
            "detail-type": "CloudFormation Stack Status Change",
            "detail": {
                "stack-id": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{SERVING}/1-2",
                "status-details": {"status": status},
            },
        }
        return run(event)

    return settled


@pytest.fixture
def register(local: Local) -> Register:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=DEPLOYMENT, ModelPackageGroupDescription="x")

    def registered() -> str:
        number = len(
            sagemaker.list_model_packages(ModelPackageGroupName=DEPLOYMENT)["ModelPackageSummaryList"]
        )
        model_data, report = signing_world.write_run(local, f"run-{number}")
        signed = signing_world.sign(local, f"run-{number}", model_data)
        container = {"Image": IMAGE, "ModelDataUrl": model_data}
        package: str = sagemaker.create_model_package(
            ModelPackageGroupName=DEPLOYMENT,
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelMetrics={
                "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}
            },
            CustomerMetadataProperties={name: signed[name] for name in (*PARTS, SIGNATURE)},
        )["ModelPackageArn"]
        return package

    return registered


def _judge(local: Local, package: str, status: str) -> dict[str, Any]:
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "time": iso(utc_now()),
        "detail": {
            "ModelPackageGroupName": DEPLOYMENT,
            "ModelApprovalStatus": status,
            "ModelPackageArn": package,
        },
    }
    return local.run(release_model, releasing_world.settings(local), event)


@pytest.fixture
def approve(local: Local, cloudformation: Scripted) -> Approve:
    return lambda package: _judge(local, package, "Approved")


@pytest.fixture
def reject(local: Local, cloudformation: Scripted) -> Approve:
    """Reject in the registry, and tell the function."""

    def rejected(package: str) -> dict[str, Any]:
        releasing_world.judge_in_registry(package, "Rejected")
        return _judge(local, package, "Rejected")

    return rejected


@pytest.fixture
def retry(local: Local, cloudformation: Scripted) -> Retry:
    """What record_release asks for when Serving has settled."""
    return lambda: local.run(release_model, releasing_world.settings(local), {"cause": "waiting"})


@pytest.fixture
def runs(local: Local) -> Runs:
    """A run that was started, and what became of it."""
    assert local.ledger.claim(PLAN, now=NOW, budget_micro_usd=10**6)
    local.ledger.mark_started("run-1", execution_arn=EXECUTION, now=NOW)
    report(local, passed=True)
    known = Runs()
    local.script(
        "sagemaker",
        describe_pipeline_execution=known.execution,
        list_pipeline_execution_steps=known.steps,
        describe_training_job=known.training_job,
        describe_processing_job=known.processing_job,
        create_model_card=known.card,
    )
    return known


@pytest.fixture
def settled(local: Local) -> Reconcile:
    local.functions["tideline-dev-record-release"] = lambda **_: {"rule": "nothing-in-flight"}

    def reconciled(event: dict[str, Any] | None = None) -> list[str]:
        settings = replace(settling_world.SETTINGS, topic_arn=local.topic_arn)
        answer = local.run(reconcile, settings, event or {"detail-type": "Scheduled Event"})
        return list(answer["settled"])

    return reconciled
