"""A Serving stack and an endpoint for the two handlers that look after releases."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import ClientError

from domain.names import PROOF_PARAMETER, Names
from domain.releases import ReleaseRecord
from tests.lambdas.local import DEPLOYMENT, IMAGE, NOW, Local, Scripted

SERVING = f"{DEPLOYMENT}-serving"
PREFIX = Names("tideline", "dev").release_prefix
ROLE = "arn:aws:iam::123456789012:role/model"


class Serving:
    """The stack: its status, the release it is given, and what calls are answered with."""

    def __init__(self) -> None:
        self.status = "UPDATE_COMPLETE"
        self.release = f"{PREFIX}none"
        self.error: ClientError | None = None
        self.compares_versions = False
        self.before = "-"
        self.scaling: str | None = None
        self.takes_proofs = False
        self.failures: list[str] = []
        self.model: str | None = None
        """What it says that a batch runs."""

    def events(self, **_: Any) -> dict[str, Any]:
        rows = [
            {
                "StackId": "arn:stack",
                "EventId": str(number),
                "StackName": SERVING,
                "Timestamp": NOW,
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": reason,
            }
            for number, reason in enumerate(self.failures)
        ]
        return {"StackEvents": rows[::-1]}

    def describe(self, **_: Any) -> dict[str, Any]:
        parameters = [
            {"ParameterKey": "Release", "ParameterValue": self.release},
            {"ParameterKey": "BootstrapVersion", "ParameterValue": "x"},
        ]
        if self.compares_versions or self.scaling:
            parameters.append({"ParameterKey": "ReleaseBefore", "ParameterValue": self.before})
        if self.scaling:
            parameters.append({"ParameterKey": "Scaling", "ParameterValue": self.scaling})
            parameters.append({"ParameterKey": "FewestInstances", "ParameterValue": "2"})
        if self.takes_proofs:
            parameters.append({"ParameterKey": PROOF_PARAMETER, "ParameterValue": "-,-,-"})
        stack = {
            "StackName": SERVING,
            "CreationTime": NOW,
            "StackStatus": self.status,
            "Parameters": parameters,
            "Outputs": [{"OutputKey": "ModelName", "OutputValue": self.model}] if self.model else [],
        }
        return {"Stacks": [stack]}

    def update(self, **asked: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        given = {one["ParameterKey"]: one.get("ParameterValue") for one in asked["Parameters"]}
        self.release = given["Release"] or self.release
        self.before = given.get("ReleaseBefore") or self.before
        self.scaling = given.get("Scaling") or self.scaling
        return {"StackId": "arn:stack"}

    def go_on(self, **_: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        return {}

    def install(self, local: Local) -> Scripted:
        return local.script(
            "cloudformation",
            describe_stacks=self.describe,
            describe_stack_events=self.events,
            update_stack=self.update,
            continue_update_rollback=self.go_on,
        )


def record(release_id: str, package_arn: str, *, run: int = 1) -> ReleaseRecord:
    return ReleaseRecord(release_id, model_data(run), IMAGE, package_arn, ("ml.c5.large",))


def model_data(run: int) -> str:
    return f"s3://artefacts/runs/run-{run}/model/model.tar.gz"


def config_name(release_id: str) -> str:
    return f"{DEPLOYMENT}-{release_id}-0123abcd"


def make_release(release_id: str, *, run: int) -> None:
    """Model and endpoint configuration, as CloudFormation makes them."""
    sagemaker, name = boto3.client("sagemaker"), config_name(release_id)
    container = {"Image": IMAGE, "ModelDataUrl": model_data(run)}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "live",
        "ModelName": name,
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def endpoint_runs(release_id: str, *, run: int) -> None:
    make_release(release_id, run=run)
    boto3.client("sagemaker").create_endpoint(
        EndpointName=DEPLOYMENT, EndpointConfigName=config_name(release_id)
    )


def answered(release_id: str | None, requests: int) -> None:
    """What SageMaker counts for the fleet of one configuration; without one, of the endpoint alone."""
    dimensions = {"EndpointName": DEPLOYMENT, "VariantName": "live"}
    if release_id:
        dimensions["EndpointConfigName"] = config_name(release_id)
    datum = {
        "MetricName": "Invocations",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Timestamp": NOW,
        "Value": float(requests),
    }
    boto3.client("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[datum])


def kept() -> dict[str, list[str]]:
    """The models and configurations that there are."""
    sagemaker = boto3.client("sagemaker")
    configs = sagemaker.list_endpoint_configs()["EndpointConfigs"]
    models = sagemaker.list_models()["Models"]
    return {
        "configs": sorted(one["EndpointConfigName"] for one in configs),
        "models": sorted(one["ModelName"] for one in models),
    }
