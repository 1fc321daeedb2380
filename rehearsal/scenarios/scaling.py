"""Where the configuration lets the endpoint scale: it is registered for that, as it says, at the end of a life."""

from __future__ import annotations

from collections.abc import Iterator

from domain.names import VARIANT
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome

METRIC = "SageMakerVariantInvocationsPerInstance"


def check_scaling(outcome: Outcome) -> Iterator[Finding]:
    """The target with its bounds and the one policy on it."""
    serving = outcome.deployment.config.serving
    if serving.scaling is None:
        return
    scaling, name = (
        outcome.deployment.account.client("application-autoscaling"),
        outcome.deployment.names.endpoint,
    )
    about = {"ServiceNamespace": "sagemaker"}
    resource = f"endpoint/{name}/variant/{VARIANT}"
    targets = scaling.describe_scalable_targets(**about, ResourceIds=[resource])["ScalableTargets"]
    bounds = [(one["MinCapacity"], one["MaxCapacity"]) for one in targets]
    policies = scaling.describe_scaling_policies(**about, ResourceId=resource)["ScalingPolicies"]
    tracked = [one["TargetTrackingScalingPolicyConfiguration"] for one in policies]
    metrics = [one["PredefinedMetricSpecification"]["PredefinedMetricType"] for one in tracked]
    wanted = [(serving.instance_count, serving.scaling.max_instances)]
    is_registered = bounds == wanted and metrics == [METRIC]
    told = f"{resource} has the bounds {bounds}, wanted {wanted}, and is scaled by {metrics}"
    yield Finding("the endpoint is registered for scaling", is_registered, told)
