"""Auto-scaling of the endpoint: registered as the configuration says, out of the way of a change of types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from config.scaling import Scaling
from config.schema import Config, Serving
from domain.names import SCALING_PARAMETER
from domain.scaling import refuse_burstable
from domain.traffic_shift import plan_shift
from rehearsal.engine.deployment_policies import policy_of
from stacks.idle import choose_serving_instance
from tests.stacks import synthesis
from tests.stacks.synthesis import Deployment, listed
from tests.stacks.test_serving import TYPES, record

SCALING = Scaling(max_instances=6, invocations_per_instance=600)


def scaled(config: Config, **scaling: Any) -> Config:
    wanted = SCALING.model_copy(update=scaling)
    return config.model_copy(
        update={"serving": config.serving.model_copy(update={"scaling": wanted}), "environment": "scaled"}
    )


@pytest.fixture(scope="session")
def scaling() -> Deployment:
    return synthesis.synthesise(scaled(synthesis.PROD))


def under(deployment: Deployment, kind: str, **parameters: Any) -> dict[str, Any] | None:
    """The properties of Serving's one resource of a type under these parameters; None where it is not there."""
    stack = deployment.stack_name("serving")
    world = deployment.world.under(stack, **{"Release": record(*TYPES), **parameters})
    resource = deployment.one(kind)
    if not world.holds(stack, resource.raw["Condition"]):
        return None
    properties: dict[str, Any] = world.resolve(stack, resource.raw["Properties"])
    return properties


TARGET, POLICY = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"


def test_the_endpoint_scales_between_its_fewest_and_most_instances(scaling: Deployment) -> None:
    target, policy = under(scaling, TARGET, Scaling="on"), under(scaling, POLICY, Scaling="on")
    assert target is not None
    assert policy is not None
    assert target["ResourceId"] == "endpoint/tideline-scaled/variant/live"
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert "RoleARN" not in target  # AWS's own service-linked role
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    assert (tracked["TargetValue"], tracked["ScaleInCooldown"], tracked["ScaleOutCooldown"]) == (
        600,
        300,
        300,
    )
    assert tracked["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }


def test_it_is_registered_after_the_endpoint_changed_and_not_while_types_change(scaling: Deployment) -> None:
    assert scaling.one(TARGET).raw["DependsOn"] == ["Endpoint"]
    assert scaling.one(POLICY).raw["Properties"]["ScalingTargetId"] == {"Ref": "ScalableTarget"}
    assert scaling.templates["serving"]["Parameters"][SCALING_PARAMETER]["Default"] == "on"
    for parameters in ({"Scaling": "off"}, {"Scaling": "on", "Release": ["none", *["-"] * 6]}):
        assert under(scaling, TARGET, **parameters) is None
        assert under(scaling, POLICY, **parameters) is None


def test_an_update_keeps_the_count_but_takes_the_new_capture_and_a_creation_says_nothing_of_it(
    scaling: Deployment,
) -> None:
    first = under(scaling, "AWS::SageMaker::Endpoint", ReleaseBefore="-")
    later = under(scaling, "AWS::SageMaker::Endpoint", ReleaseBefore="000041")
    fewer = under(scaling, "AWS::SageMaker::Endpoint", ReleaseBefore="000041", FewestInstances="1")
    assert first is not None
    assert later is not None
    assert fewer == first
    names = ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties")
    assert not set(names) & set(first)
    assert later[names[0]] is True
    assert [one["VariantPropertyType"] for one in later[names[1]]] == ["DesiredWeight", "DataCaptureConfig"]


def test_whether_the_endpoint_scales_changes_neither_it_nor_its_configuration_within_a_release(
    scaling: Deployment,
) -> None:
    """The second update of a change of types, and the way back to scaling, must not deploy the endpoint again."""
    for kind in ("AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig"):
        assert under(scaling, kind, Scaling="on") == under(scaling, kind, Scaling="off")


def test_a_release_shifts_a_share_of_as_many_instances_as_there_are(scaling: Deployment) -> None:
    endpoint = under(scaling, "AWS::SageMaker::Endpoint")
    assert endpoint is not None
    routing = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    plan = scaling.templates["serving"]["Outputs"]["ReleasePlan"]["Value"]
    assert plan.startswith("canary: 1 of 2 instances (50% of the traffic)")


@pytest.mark.parametrize("fewest", [2, 3, 7, 30])
def test_a_linear_release_of_more_instances_ends_in_the_time_that_was_planned(fewest: int) -> None:
    most = 4 * fewest
    plan = plan_shift("linear", instance_count=fewest, step_percent=10, bake_minutes=5, most_instances=most)
    assert plan.step_percent is not None
    assert 10 <= plan.step_percent <= 50
    size = {"Type": "CAPACITY_PERCENT", "Value": plan.step_percent}
    routing = {"Type": "LINEAR", "LinearStepSize": size, "WaitIntervalInSeconds": plan.bake_seconds}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": plan.bake_seconds}
    for count in range(fewest, most + 1):
        steps = policy_of({"BlueGreenUpdatePolicy": policy}, count).steps
        assert sum(step.bake_seconds for step in steps) <= plan.longest_seconds


def test_numbers_of_scaling_replace_no_fleet(scaling: Deployment) -> None:
    more = synthesis.synthesise(scaled(synthesis.PROD, max_instances=9))
    names = [
        (under(one, "AWS::SageMaker::EndpointConfig") or {})["EndpointConfigName"] for one in (scaling, more)
    ]
    assert names[0] == names[1]


def test_serving_s_deploy_role_may_always_end_scaling_and_only_where_it_is_wanted_begin_it(
    scaling: Deployment, prod: Deployment
) -> None:
    def granted(deployment: Deployment) -> set[str]:
        name = f"{deployment.config.name}-{deployment.config.environment}-serving-deploy"
        found = [action for one in deployment.policies_of(name) for action in listed(one["Action"])]
        return {one for one in found if one.partition(":")[0] in ("application-autoscaling", "iam")}

    always = {"DeleteScalingPolicy", "DeregisterScalableTarget", "DescribeScalableTargets"}
    ends = {f"application-autoscaling:{one}" for one in (*always, "DescribeScalingPolicies")}
    assert granted(prod) == {*ends, "iam:PassRole"}
    begins = ("ListTagsForResource", "PutScalingPolicy", "RegisterScalableTarget", "TagResource")
    more = {f"application-autoscaling:{one}" for one in begins}
    assert granted(scaling) == {*ends, *more, "iam:PassRole", "iam:CreateServiceLinkedRole"}


def test_without_scaling_there_is_nothing_of_it(prod: Deployment) -> None:
    assert prod.of_type(TARGET) == []
    assert SCALING_PARAMETER not in prod.templates["serving"]["Parameters"]
    [endpoint] = prod.of_type("AWS::SageMaker::Endpoint")
    assert "RetainAllVariantProperties" not in endpoint.raw["Properties"]


def test_burstable_types_do_not_scale_and_are_refused_before_a_deploy() -> None:
    assert choose_serving_instance(scaled(synthesis.PROD)).instance_type == "ml.c5.large"
    with pytest.raises(ValueError, match=r"got the burstable ml\.t3\.medium, which SageMaker does not scale"):
        refuse_burstable(["ml.c5.large", "ml.t3.medium"])


def test_the_most_instances_are_more_than_the_fewest() -> None:
    with pytest.raises(ValidationError, match=r"max_instances must be above instance_count \(6\)"):
        Serving(instance_count=6, scaling=SCALING)


def test_the_most_that_scaling_may_cost_is_in_the_ceiling(scaling: Deployment, prod: Deployment) -> None:
    def usd(deployment: Deployment, output: str) -> float:
        return float(deployment.templates["serving"]["Outputs"][output]["Value"])

    alarms = usd(scaling, "IdleUsdPerMonth") - usd(prod, "IdleUsdPerMonth")
    assert alarms == pytest.approx(2 * 0.10, abs=0.01)
    more = usd(scaling, "CeilingUsdPerMonth") - usd(prod, "CeilingUsdPerMonth")
    assert more == pytest.approx(4 * 0.102 * 730 + alarms, abs=0.01)


def test_the_dashboard_shows_what_scaling_goes_by(scaling: Deployment, prod: Deployment) -> None:
    shown = [json.dumps(one.one("AWS::CloudWatch::Dashboard").properties) for one in (scaling, prod)]
    assert ["InvocationsPerInstance" in one for one in shown] == [True, False]
    assert "above 600 instances are added" in shown[0]
