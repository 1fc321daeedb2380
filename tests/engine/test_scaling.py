"""Auto-scaling in the local account: registered by a stack, refused where AWS refuses it, under the role's rights."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine.iam.calls import Call, accesses
from rehearsal.engine.iam.resources import Where
from tests.engine.hosting_world import Hosting, hosting
from tests.engine.sagemaker_world import world
from tests.engine.stack_world import World as Stacks

__all__ = ["hosting", "world"]

ABOUT = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}


def target(endpoint: str, *, most: int = 4) -> dict[str, Any]:
    properties = {
        **ABOUT,
        "ResourceId": f"endpoint/{endpoint}/variant/live",
        "MinCapacity": 1,
        "MaxCapacity": most,
    }
    return {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": properties}


def policy(value: float) -> dict[str, Any]:
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    properties = {
        "PolicyName": "invocations",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": value,
            "PredefinedMetricSpecification": metric,
        },
    }
    return {"Type": "AWS::ApplicationAutoScaling::ScalingPolicy", "Properties": properties}


def registered(hosting: Hosting, endpoint: str) -> tuple[list[int], list[float]]:
    """The most instances of its targets, and what its policies hold."""
    scaling, resource = (
        hosting.world.account.client("application-autoscaling"),
        f"endpoint/{endpoint}/variant/live",
    )
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)
    return (
        [one["MaxCapacity"] for one in targets["ScalableTargets"]],
        [
            one["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
            for one in policies["ScalingPolicies"]
        ],
    )


def test_a_stack_registers_a_variant_changes_its_bounds_in_place_and_ends_its_scaling(
    hosting: Hosting,
) -> None:
    hosting.endpoint("scaling")
    stacks = Stacks(hosting.world.account)
    stacks.create("scaling", {"Target": target("scaling"), "Policy": policy(60)})
    assert stacks.physical("scaling")["Target"] == (
        "endpoint/scaling/variant/live|sagemaker:variant:DesiredInstanceCount|sagemaker"
    )
    assert registered(hosting, "scaling") == ([4], [60.0])
    stacks.update("scaling", {"Target": target("scaling", most=6), "Policy": policy(90)})
    assert registered(hosting, "scaling") == ([6], [90.0])
    stacks.delete("scaling")
    assert registered(hosting, "scaling") == ([], [])


def test_a_variant_that_is_not_there_or_of_burstable_instances_is_not_registered(hosting: Hosting) -> None:
    hosting.endpoint("bursts", variant={"InstanceType": "ml.t2.medium"})
    stacks = Stacks(hosting.world.account)
    for name, said in (
        ("nowhere", "Could not find endpoint"),
        ("bursts", "burstable instances such as ml.t2.medium"),
    ):
        assert stacks.create(name, {"Target": target(name)})["StackStatus"] == "ROLLBACK_COMPLETE"
        assert said in stacks.reasons(name)["Target"]


def test_the_number_of_instances_changes_by_itself_but_not_while_the_endpoint_is_deployed(
    hosting: Hosting,
) -> None:
    hosting.endpoint("counted")
    hosting.config("counted-2")

    def scale(count: int, variant: str = "live") -> None:
        wanted = [{"VariantName": variant, "DesiredInstanceCount": count}]
        hosting.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="counted", DesiredWeightsAndCapacities=wanted
        )

    scale(3)
    assert hosting.describe("counted")["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    with pytest.raises(ClientError, match="do not exist"):
        scale(2, "other")
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    bake = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 60}}
    hosting.sagemaker.update_endpoint(
        EndpointName="counted",
        EndpointConfigName="counted-2",
        DeploymentConfig=bake,
        RetainAllVariantProperties=True,
    )
    with pytest.raises(ClientError, match="in-progress endpoint"):
        scale(1)
    hosting.later(minutes=2)
    assert hosting.describe("counted")["ProductionVariants"][0]["CurrentInstanceCount"] == 3


def test_who_registers_a_variant_needs_what_the_service_then_does_for_him() -> None:
    resource = {**ABOUT, "ResourceId": "endpoint/e/variant/live"}
    where = Where("123456789012", "us-east-1")
    asked = accesses(Call("application-autoscaling", "RegisterScalableTarget", resource), where)
    assert [one.action for one in asked] == [
        "application-autoscaling:RegisterScalableTarget",
        "iam:CreateServiceLinkedRole",
        "sagemaker:DescribeEndpoint",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    ]
    assert dict(asked[0].context)["application-autoscaling:service-namespace"] == ("sagemaker",)
    assert asked[2].resource == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"
    asked = accesses(Call("application-autoscaling", "PutScalingPolicy", resource), where)
    assert {one.action for one in asked[1:]} == {"cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"}


def test_what_an_update_is_to_keep_cannot_be_said_of_a_new_endpoint(hosting: Hosting) -> None:
    given = {"EndpointName": "kept-new", "EndpointConfigName": "x", "RetainAllVariantProperties": True}
    stacks = Stacks(hosting.world.account)
    node = {"Type": "AWS::SageMaker::Endpoint", "Properties": given}
    assert stacks.create("kept-new", {"Endpoint": node})["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "use only when updating" in stacks.reasons("kept-new")["Endpoint"]
