"""How two public templates release, on the same local account: their Model, EndpointConfig and Endpoint, nothing else.

Read from their repositories; what has no part in a release (monitoring schedules, scaling) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.releasing.traffic import Response, Traffic
from rehearsal.engine import Account

QUIET_MINUTES = 5
Resources = dict[str, Any]
Build = Callable[[str, str, str], Resources]
"""Endpoint name, role, model package -> the template's resources."""


def drift_detection(endpoint: str, role: str, package: str) -> Resources:
    """deployment_pipeline/infra/sagemaker_stack.py: no DeploymentConfig, no alarm on the endpoint."""
    return _fleet(endpoint, role, package, count=1, variant="LatestApproved")


def deployment_patterns(endpoint: str, role: str, package: str) -> Resources:
    """mlops-deployment-patterns/seedcode/deploy/endpoint-config-template.yml, stage prod, its defaults."""
    alarm = f"{endpoint}-Endpoint500Errors"
    resources = _fleet(endpoint, role, package, count=3, variant="AllTraffic")
    resources["Endpoint500Errors"] = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": alarm,
            "ActionsEnabled": False,
            "MetricName": "Invocation5XXErrors",
            "Namespace": "AWS/SageMaker",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Dimensions": [
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": "AllTraffic"},
            ],
        },
    }
    resources["Endpoint"]["DependsOn"] = (
        "Endpoint500Errors"  # as a first deployment of it must have been helped
    )
    resources["Endpoint"]["Properties"]["DeploymentConfig"] = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                "WaitIntervalInSeconds": 300,
            },
            "TerminationWaitInSeconds": 120,
            "MaximumExecutionTimeoutInSeconds": 1800,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    return resources


def _fleet(endpoint: str, role: str, package: str, *, count: int, variant: str) -> Resources:
    model = {"ExecutionRoleArn": role, "PrimaryContainer": {"ModelPackageName": package}}
    production = {
        "InitialInstanceCount": count,
        "InitialVariantWeight": 1.0,
        "InstanceType": "ml.m5.large",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "VariantName": variant,
    }
    served = {
        "EndpointName": endpoint,
        "EndpointConfigName": {"Fn::GetAtt": ["EndpointConfig", "EndpointConfigName"]},
    }
    return {
        "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
        "EndpointConfig": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {"ProductionVariants": [production]},
        },
        "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": served},
    }


@dataclass(frozen=True)
class Template:
    """A public template, named exactly."""

    name: str
    build: Build


DRIFT_DETECTION = Template("aws-samples/amazon-sagemaker-drift-detection", drift_detection)
DEPLOYMENT_PATTERNS = Template(
    "aws-samples/sagemaker-custom-project-templates, mlops-deployment-patterns", deployment_patterns
)


@dataclass
class Peer:
    """A template's endpoint in the local account, its good version live."""

    account: Account
    template: Template
    endpoint: str
    role: str
    good: str
    """The package that everybody goes back to."""
    body: bytes

    def __post_init__(self) -> None:
        self.traffic = Traffic(self.account, self.endpoint, self.body)
        self.account.client("cloudformation").create_stack(**self._request(self.good))
        self.account.pump()

    def _request(self, package: str) -> dict[str, Any]:
        resources = self.template.build(self.endpoint, self.role, package)
        return {"StackName": self.endpoint, "TemplateBody": json.dumps({"Resources": resources})}

    def release(self, package: str, *, minutes: int) -> list[Response]:
        """Update the stack as its pipeline does, and live with what comes of it for so long."""
        self.account.client("cloudformation").update_stack(**self._request(package))
        self.account.pump()
        return self.traffic.live(minutes)

    def take_back(self) -> None:
        """What a person does in the end: the good version is live again."""
        self._settle()
        if (
            self._status() == "UPDATE_ROLLBACK_FAILED"
        ):  # its alarm sees both fleets and is red on the way back too
            self.traffic.live(QUIET_MINUTES)
            self.account.client("cloudformation").continue_update_rollback(StackName=self.endpoint)
            self.account.pump()
            self._settle()
        if self._status() == "UPDATE_COMPLETE":
            self.release(self.good, minutes=1)
            self._settle()

    def _settle(self) -> None:
        while self._status().endswith("IN_PROGRESS"):
            self.traffic.live(1)

    def _status(self) -> str:
        found = self.account.client("cloudformation").describe_stacks(StackName=self.endpoint)
        return str(found["Stacks"][0]["StackStatus"])
