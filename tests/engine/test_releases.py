"""A stack whose endpoint is released in virtual time: it waits, refuses others, goes back, and gets stuck."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from botocore.exceptions import ClientError

from tests.engine.hosting_world import Hosting, hosting, processes
from tests.engine.sagemaker_world import world

__all__ = ["hosting", "world"]

BAKE_SECONDS = 300


class Service:
    """A stack with an endpoint of one instance, its configuration, and an alarm that stops releases."""

    def __init__(self, hosting: Hosting, name: str) -> None:
        self.hosting, self.name = hosting, name
        self.account = hosting.world.account
        self.cloudformation = self.account.client("cloudformation")

    def deploy(self, release: str, **environment: str) -> None:
        """Create or update the stack with a model that answers `release`; no time passes."""
        self.hosting.sagemaker.create_model(
            ModelName=f"{self.name}-{release}",
            ExecutionRoleArn=self.hosting.world.role,
            PrimaryContainer={
                "Image": self.hosting.world.image,
                "Environment": {"ANSWER": release, **environment},
            },
        )
        request = {"StackName": self.name, "TemplateBody": json.dumps({"Resources": self._template(release)})}
        if self.status:
            self.cloudformation.update_stack(**request)
        else:
            self.cloudformation.create_stack(**request)
        self.account.pump()

    def _template(self, release: str) -> dict[str, Any]:
        variant = {
            "VariantName": "live",
            "ModelName": f"{self.name}-{release}",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        config = {"EndpointConfigName": f"{self.name}-{release}", "ProductionVariants": [variant]}
        routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": BAKE_SECONDS}
        deployment = {
            "BlueGreenUpdatePolicy": policy,
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": {"Ref": "Alarm"}}]},
        }
        endpoint = {
            "EndpointName": self.name,
            "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            "DeploymentConfig": deployment,
        }
        return {
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": self._alarm()},
            "Config": {
                "Type": "AWS::SageMaker::EndpointConfig",
                "Properties": config,
                "UpdateReplacePolicy": "Retain",
            },
            "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": endpoint},
        }

    def _alarm(self) -> dict[str, Any]:
        """It keeps its state while nobody asks, so that it is still red when the stack goes back."""
        return {
            "AlarmName": f"{self.name}-5xx",
            "Namespace": "AWS/SageMaker",
            "MetricName": "Invocation5XXErrors",
            "Dimensions": [
                {"Name": "EndpointName", "Value": self.name},
                {"Name": "VariantName", "Value": "live"},
            ],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        }

    @property
    def status(self) -> str:
        try:
            stack = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError:
            return ""
        return str(stack["StackStatus"])

    @property
    def statuses(self) -> list[str]:
        return [
            facts["status"] for facts in self.hosting.world.journal("stack") if facts["stack"] == self.name
        ]

    @property
    def running(self) -> str:
        return str(self.hosting.describe(self.name)["EndpointConfigName"]).removeprefix(f"{self.name}-")

    def ask(self, count: int = 2) -> list[str]:
        found = []
        for _ in range(count):
            try:
                found.append(self.hosting.ask(self.name))
            except ClientError:
                found.append("error")
        return found

    def live(self, **duration: float) -> None:
        self.account.advance_to(self.account.clock.now() + timedelta(**duration))

    def break_in_the_bake(self) -> None:
        """Release a model that fails, and let its errors be seen."""
        self.deploy("bad", FAIL="1")
        assert self.ask() == ["error", "error"]
        self.live(minutes=2)


@pytest.fixture
def service(hosting: Hosting, request: pytest.FixtureRequest) -> Iterator[Service]:
    service = Service(hosting, f"s{uuid5(NAMESPACE_URL, request.node.name).hex[:8]}")
    service.deploy("good")
    assert (service.status, service.running) == ("CREATE_COMPLETE", "good")
    yield service
    hosting.world.account.endpoint_rollback_seen_as = "failure"


def test_a_stack_waits_for_the_bake_of_its_endpoint(service: Service) -> None:
    service.deploy("better")
    assert (service.status, service.running) == ("UPDATE_IN_PROGRESS", "good")
    assert service.ask() == ["better", "better"]
    service.live(seconds=BAKE_SECONDS - 1)
    assert service.status == "UPDATE_IN_PROGRESS"
    service.live(seconds=1)
    assert (service.status, service.running) == ("UPDATE_COMPLETE", "better")


def test_during_the_bake_the_stack_takes_neither_an_update_nor_its_deletion(service: Service) -> None:
    service.deploy("better")
    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        service.deploy("best")
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        service.cloudformation.delete_stack(StackName=service.name)
    service.live(minutes=5)
    assert service.status == "UPDATE_COMPLETE"


def test_a_rollback_that_cloudformation_takes_for_success_leaves_the_old_configuration(
    service: Service,
) -> None:
    service.account.endpoint_rollback_seen_as = "success"
    service.break_in_the_bake()

    assert (service.status, service.running) == ("UPDATE_COMPLETE", "good")
    assert service.ask() == ["good", "good"]


def test_a_rollback_seen_as_failure_gets_stuck_while_the_alarm_is_red_and_can_be_skipped(
    service: Service,
) -> None:
    service.break_in_the_bake()
    assert service.statuses[-3:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
    ]
    assert (service.running, service.ask()) == ("good", ["good", "good"])
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        service.deploy("better")
    go_on = service.cloudformation.continue_update_rollback
    with pytest.raises(
        ClientError, match=r"\['Config'\] did not fail in the rollback; what did is \['Endpoint'\]"
    ):
        go_on(StackName=service.name, ResourcesToSkip=["Config"])
    go_on(StackName=service.name, ResourcesToSkip=["Endpoint"])
    assert service.status == "UPDATE_ROLLBACK_IN_PROGRESS"
    service.account.pump()

    assert (service.status, service.running) == ("UPDATE_ROLLBACK_COMPLETE", "good")
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_COMPLETE state"):
        go_on(StackName=service.name)


def test_once_the_alarm_is_green_a_stuck_rollback_continues_and_bakes_again(service: Service) -> None:
    service.break_in_the_bake()
    service.ask()
    service.live(minutes=2)
    service.cloudformation.continue_update_rollback(StackName=service.name)
    service.account.pump()
    assert (service.status, service.running) == ("UPDATE_ROLLBACK_IN_PROGRESS", "good")
    service.live(seconds=BAKE_SECONDS)

    assert (service.status, service.running) == ("UPDATE_ROLLBACK_COMPLETE", "good")
    service.deploy("better2")
    service.live(seconds=BAKE_SECONDS)
    assert (service.status, service.running) == ("UPDATE_COMPLETE", "better2")


def test_the_way_back_of_the_stack_is_a_deployment_with_a_bake_of_its_own(service: Service) -> None:
    service.deploy("bad", DIE="1")
    assert (service.status, service.running) == ("UPDATE_ROLLBACK_IN_PROGRESS", "good")
    service.live(seconds=BAKE_SECONDS - 1)
    assert service.status == "UPDATE_ROLLBACK_IN_PROGRESS"
    service.live(seconds=1)
    assert (service.status, service.running) == ("UPDATE_ROLLBACK_COMPLETE", "good")


def test_a_retained_configuration_outlives_its_replacement(service: Service) -> None:
    service.deploy("better")
    service.live(seconds=BAKE_SECONDS)
    found = service.hosting.sagemaker.list_endpoint_configs(NameContains=f"{service.name}-")
    names = {config["EndpointConfigName"] for config in found["EndpointConfigs"]}
    assert names == {f"{service.name}-good", f"{service.name}-better"}
    assert set(service.statuses[-2:]) == {"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"}


def test_a_second_stack_goes_on_while_the_first_one_bakes(service: Service) -> None:
    service.deploy("better")
    other = Service(service.hosting, f"{service.name}-b")
    other.deploy("good")
    assert (service.status, other.status) == ("UPDATE_IN_PROGRESS", "CREATE_COMPLETE")
    service.live(seconds=BAKE_SECONDS)
    assert service.status == "UPDATE_COMPLETE"


def test_deleting_a_stuck_stack_takes_what_its_failed_update_had_created(service: Service) -> None:
    service.break_in_the_bake()
    assert service.status == "UPDATE_ROLLBACK_FAILED"
    service.cloudformation.delete_stack(StackName=service.name)
    service.account.pump()

    assert service.status == ""
    found = service.hosting.sagemaker.list_endpoint_configs(NameContains=f"{service.name}-")
    assert found["EndpointConfigs"] == []
    assert processes(service.hosting, service.name) == 0
