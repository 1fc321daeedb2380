"""Auto-scaling of the endpoint: what Serving registers, and what its deploy role may do for it.

AWS refuses another instance type while the endpoint is registered. CloudFormation deletes only after it has changed
the rest, so release_model first updates Serving with `Scaling=off`, and then with the release and `Scaling=on`.
"""

from __future__ import annotations

from typing import Any, cast

from aws_cdk import Aws, CfnCondition, CfnParameter, Fn, Stack
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker

from config.scaling import Scaling
from domain.instances import Candidate
from domain.names import (
    FEWEST_PARAMETER,
    FILLER,
    SCALING_OFF,
    SCALING_ON,
    SCALING_PARAMETER,
    VARIANT,
    Names,
)
from domain.scaling import refuse_burstable
from stacks.permissions import allow, arn

NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
SERVICE = "sagemaker.application-autoscaling.amazonaws.com"
SERVICE_ROLE = f"aws-service-role/{SERVICE}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"


def scale(
    stack: Stack,
    names: Names,
    scaling: Scaling,
    *,
    fewest: int,
    endpoint: sagemaker.CfnEndpoint,
    exists: CfnCondition,
    release_before: str,
) -> None:
    """Register the endpoint after each change of it, and let an update keep as many instances as there are."""
    _keep_count(stack, endpoint, release_before, fewest)
    given = CfnParameter(
        stack,
        SCALING_PARAMETER,
        default=SCALING_ON,
        allowed_values=[SCALING_ON, SCALING_OFF],
        description="off only while a release changes the instance types, which AWS refuses of a scaling endpoint",
    ).value_as_string
    scales = CfnCondition(
        stack,
        "Scales",
        expression=Fn.condition_and(cast("Any", exists), Fn.condition_equals(given, SCALING_ON)),
    )
    target = autoscaling.CfnScalableTarget(
        stack,
        "ScalableTarget",
        service_namespace=NAMESPACE,
        scalable_dimension=DIMENSION,
        resource_id=resource_id(names),
        min_capacity=fewest,
        max_capacity=scaling.max_instances,
    )
    target.add_resource_dependency(endpoint)
    policy = _policy(stack, names, scaling, target)
    for resource in (target, policy):
        resource.cfn_options.condition = scales


def _policy(
    stack: Stack, names: Names, scaling: Scaling, target: autoscaling.CfnScalableTarget
) -> autoscaling.CfnScalingPolicy:
    kind = autoscaling.CfnScalingPolicy
    return kind(
        stack,
        "ScalingPolicy",
        policy_name=f"{names.deployment}-invocations",
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration=kind.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=scaling.invocations_per_instance,
            scale_out_cooldown=scaling.scale_out_cooldown_seconds,
            scale_in_cooldown=scaling.scale_in_cooldown_seconds,
            predefined_metric_specification=kind.PredefinedMetricSpecificationProperty(
                predefined_metric_type="SageMakerVariantInvocationsPerInstance"
            ),
        ),
    )


def _keep_count(stack: Stack, endpoint: sagemaker.CfnEndpoint, release_before: str, fewest: int) -> None:
    """Only where there is an endpoint already: these properties are for an update. Weight and capture may change.

    A deploy that changes the fewest instances must not keep a count below them: of one instance there is no canary.
    """
    last = CfnParameter(
        stack,
        FEWEST_PARAMETER,
        default=str(fewest),
        description="The fewest instances as the last release had them; a deploy that changes them keeps no count",
    ).value_as_string
    updates = CfnCondition(
        stack,
        "Updates",
        expression=Fn.condition_and(
            Fn.condition_not(Fn.condition_equals(release_before, FILLER)),
            Fn.condition_equals(last, str(fewest)),
        ),
    )
    others: Any = [{"VariantPropertyType": one} for one in ("DesiredWeight", "DataCaptureConfig")]
    endpoint.retain_all_variant_properties = Fn.condition_if(updates.logical_id, True, Aws.NO_VALUE)
    endpoint.exclude_retained_variant_properties = Fn.condition_if(updates.logical_id, others, Aws.NO_VALUE)


def resource_id(names: Names) -> str:
    """The endpoint's one variant, as Application Auto Scaling calls it."""
    return f"endpoint/{names.endpoint}/variant/{VARIANT}"


def may_scale(role: iam.Role, names: Names, scaling: Scaling | None) -> None:
    """What Serving's deploy role may do. It may always end scaling.

    When that leaves the configuration, Storage, where the role lies, is deployed first, and Serving still has to end
    it. AWS refuses DeleteEndpoint, too, to who may not deregister what somebody registered by hand.
    """
    stack = Stack.of(role)
    targets = [arn(stack, "application-autoscaling", "scalable-target/*")]
    bound = {
        "StringEquals": {
            "application-autoscaling:service-namespace": NAMESPACE,
            "application-autoscaling:scalable-dimension": DIMENSION,
        }
    }
    own = "application-autoscaling:"
    allow(role, [f"{own}DeleteScalingPolicy", f"{own}DeregisterScalableTarget"], targets, bound)
    allow(role, [f"{own}DescribeScalableTargets", f"{own}DescribeScalingPolicies"], ["*"])
    alarms = arn(stack, "cloudwatch", f"alarm:TargetTracking-{resource_id(names)}-*")
    allow(role, ["cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms"], [alarms])
    if scaling is None:
        return
    allow(role, [f"{own}PutScalingPolicy", f"{own}RegisterScalableTarget"], targets, bound)
    allow(role, [f"{own}ListTagsForResource", f"{own}TagResource"], targets)
    endpoint = arn(stack, "sagemaker", f"endpoint/{names.endpoint}")
    allow(role, ["sagemaker:UpdateEndpointWeightsAndCapacities"], [endpoint])
    allow(role, ["cloudwatch:PutMetricAlarm"], [alarms])
    service_role = f"arn:{stack.partition}:iam::{stack.account}:role/{SERVICE_ROLE}"
    allow(
        role,
        ["iam:CreateServiceLinkedRole"],
        [service_role],
        {"StringEquals": {"iam:AWSServiceName": SERVICE}},
    )


def refuse_types(scaling: Scaling | None, types: list[Candidate]) -> None:
    """Refuse at synth what AWS refuses to register. Raises ValueError."""
    if scaling:
        refuse_burstable([one.instance_type for one in types])
