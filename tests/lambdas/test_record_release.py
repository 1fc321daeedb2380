from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from domain.releases import ReleaseRecord
from domain.settings import RecordReleaseSettings
from lambdas import record_release
from lambdas.record_release import EndpointBusyError
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, IMAGE, NOW, Local, refused

ROLE = "arn:aws:iam::123456789012:role/model"
MODEL_DATA = "s3://artefacts/runs/run-1/model/model.tar.gz"
SETTINGS = RecordReleaseSettings(
    deployment=DEPLOYMENT,
    serving_stack=f"{DEPLOYMENT}-serving",
    endpoint_name=DEPLOYMENT,
    ledger_table="ledger",
    topic_arn="",
    delivery_pipeline="tideline-delivery",
    delivery_stage="dev-Wait",
)


@pytest.fixture
def package(local: Local) -> str:
    """A package that is Approved and whose release is in flight."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=DEPLOYMENT, ModelPackageGroupDescription="x")
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=DEPLOYMENT,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": MODEL_DATA}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    facts = {
        "package_arn": arn,
        "report_uri": "s3://artefacts/runs/run-1/report/report.json",
        "profile_uri": "s3://artefacts/runs/run-1/report/profile.json",
        "heldout_loss": 0.125,
    }
    record = ReleaseRecord("000001", MODEL_DATA, IMAGE, arn, ("ml.c5.large",))
    assert local.ledger.open_release(record, facts, now=NOW)
    return arn


def endpoint_runs(model_data: str) -> None:
    sagemaker = boto3.client("sagemaker")
    container = {"Image": IMAGE, "ModelDataUrl": model_data}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "live",
        "ModelName": "m",
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=DEPLOYMENT, EndpointConfigName="c")


def approval(package: str) -> str:
    found = boto3.client("sagemaker").describe_model_package(ModelPackageName=package)
    return str(found["ModelApprovalStatus"])


Settle = Callable[..., dict[str, Any]]


@pytest.fixture
def settle(local: Local) -> Settle:
    def settled(status: str = "UPDATE_COMPLETE") -> dict[str, Any]:
        event = {
            "source": "aws.cloudformation",
            "detail-type": "CloudFormation Stack Status Change",
            "detail": {
                "stack-id": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{DEPLOYMENT}-serving/1-2",
                "status-details": {"status": status},
            },
        }
        return local.run(record_release, replace(SETTINGS, topic_arn=local.topic_arn), event)

    return settled


def test_what_the_endpoint_runs_is_crowned(local: Local, package: str, settle: Settle) -> None:
    endpoint_runs(MODEL_DATA)
    assert settle()["verdict"] == "live"
    champion = local.ledger.champion()
    assert champion is not None
    assert (champion.package_arn, champion.model_data, champion.image) == (package, MODEL_DATA, IMAGE)
    assert (champion.heldout_loss, champion.since) == (0.125, "2013-04-20T13:00:00Z")
    assert [(one["release_id"], one["outcome"]) for one in local.ledger.releases()] == [("000001", "live")]
    assert local.ledger.open_release_body() is None
    assert approval(package) == "Approved"
    assert local.messages() == []


def test_where_the_endpoint_runs_another_model_the_package_is_rejected_and_people_are_told(
    local: Local, package: str, settle: Settle
) -> None:
    endpoint_runs("s3://artefacts/runs/run-0/model/model.tar.gz")
    assert settle("UPDATE_ROLLBACK_COMPLETE")["verdict"] == "failed"
    assert local.ledger.champion() is None
    assert approval(package) == "Rejected"
    (message,) = local.messages()
    assert message == (
        f"tideline-dev: the release of {package} failed: the endpoint is InService and runs "
        f"s3://artefacts/runs/run-0/model/model.tar.gz, not {MODEL_DATA}"
    )
    assert [one["outcome"] for one in local.ledger.releases()] == ["failed"]


def test_a_stack_that_says_complete_proves_nothing(local: Local, package: str, settle: Settle) -> None:
    endpoint_runs("s3://artefacts/runs/run-0/model/model.tar.gz")
    assert settle("UPDATE_COMPLETE")["verdict"] == "failed"
    assert approval(package) == "Rejected"


def test_without_an_endpoint_the_release_failed(local: Local, package: str, settle: Settle) -> None:
    assert settle("UPDATE_ROLLBACK_COMPLETE")["verdict"] == "failed"
    assert "Could not find endpoint" in local.messages()[0]


@pytest.mark.parametrize("status", ["Updating", "Creating", "RollingBack"])
def test_an_endpoint_that_is_busy_is_judged_later(
    local: Local, package: str, settle: Settle, status: str
) -> None:
    endpoint_runs(MODEL_DATA)
    busy = {
        "EndpointName": DEPLOYMENT,
        "EndpointArn": f"{ACCOUNT}:endpoint/{DEPLOYMENT}",
        "EndpointConfigName": "c",
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
    }
    local.script("sagemaker", describe_endpoint=lambda **_: busy)
    with pytest.raises(EndpointBusyError, match=f"the endpoint is {status}"):
        settle()
    assert local.ledger.open_release_body() is not None
    assert local.decisions("release") == []
    local.script("sagemaker")
    assert settle()["verdict"] == "live"


def test_an_endpoint_that_could_not_be_asked_is_not_taken_for_absent(
    local: Local, package: str, settle: Settle
) -> None:
    def throttled(**_: Any) -> dict[str, Any]:
        raise refused("ThrottlingException", "Rate exceeded")

    local.script("sagemaker", describe_endpoint=throttled)
    with pytest.raises(ClientError, match="Rate exceeded"):
        settle()
    assert local.ledger.open_release_body() is not None
    assert approval(package) == "Approved"


def test_a_deploy_of_code_settles_no_release(local: Local, settle: Settle) -> None:
    assert settle() == {"verdict": "nothing-in-flight"}
    assert local.ledger.decisions() == []


def test_the_same_event_twice_is_one_verdict(local: Local, package: str, settle: Settle) -> None:
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert settle("UPDATE_ROLLBACK_COMPLETE") == {"verdict": "nothing-in-flight"}
    assert len(local.messages()) == 1


def test_a_failure_that_was_told_is_not_told_again_when_the_handler_died_before_closing(
    local: Local, package: str, settle: Settle
) -> None:
    body = local.ledger.open_release_body()
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert body is not None
    record = ReleaseRecord.from_parameter(body["parameter"])
    facts = {name: body[name] for name in ("package_arn", "report_uri", "profile_uri", "heldout_loss")}
    assert local.ledger.open_release(record, facts, now=NOW)
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert len(local.messages()) == 1
