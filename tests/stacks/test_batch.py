"""Serving by batch: a model and no endpoint, two functions, and nobody who may do more than that."""

from __future__ import annotations

from typing import Any

from domain.names import NO_RELEASE, Names
from domain.releases import ReleaseRecord, no_release
from tests.stacks import synthesis
from tests.stacks.synthesis import Deployment

RECORD = ReleaseRecord("000042", "s3://b/model.tar.gz", "image@sha256:1", "arn:package/7", ("ml.c5.large",))


def test_serving_holds_a_model_and_no_endpoint(nightly: Deployment) -> None:
    assert [one.kind for one in nightly.resources if one.part == "serving"] == ["AWS::SageMaker::Model"]


def test_there_is_a_model_only_under_a_release(nightly: Deployment) -> None:
    stack, model = nightly.stack_name("serving"), nightly.one("AWS::SageMaker::Model")
    for record, is_there in ((no_release(), False), (RECORD.to_parameter(), True)):
        world = nightly.world.under(stack, Release=record.split(","))
        assert world.holds(stack, model.raw["Condition"]) is is_there
        assert nightly.templates["serving"]["Outputs"]["ModelName"]["Condition"] == model.raw["Condition"]
    default = nightly.templates["serving"]["Parameters"]["Release"]["Default"]
    assert default == Names("tideline", "nightly").release_parameter(NO_RELEASE)


def test_a_live_deployment_refuses_another_mode(nightly: Deployment, dev: Deployment) -> None:
    """`cdk deploy` keeps the value of a parameter, and the other template does not allow it."""
    allowed = [d.templates["serving"]["Parameters"]["HostingMode"]["AllowedValues"] for d in (nightly, dev)]
    assert allowed == [["batch"], ["realtime"]]


def test_the_transform_runs_at_the_hour_of_the_configuration(nightly: Deployment) -> None:
    rule = next(
        r for r in nightly.of_type("AWS::Events::Rule") if r.logical_id.startswith("BatchStartTransform")
    )
    assert rule.properties["ScheduleExpression"] == "cron(0 2 * * ? *)"


def test_nothing_looks_at_an_endpoint(nightly: Deployment) -> None:
    alarms = [str(one.properties.get("AlarmName")) for one in nightly.of_type("AWS::CloudWatch::Alarm")]
    assert not [name for name in alarms if name.endswith("-5xx")]
    assert "AWS/SageMaker" not in nightly.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"]
    actions = [action for action in _actions(nightly, "record_release") if "Endpoint" in action]
    assert actions == ["sagemaker:ListEndpointConfigs"]


def test_a_transform_reads_requests_and_writes_predictions_and_nothing_of_the_snapshots(
    nightly: Deployment,
) -> None:
    role = nightly.one("AWS::SageMaker::Model").properties["ExecutionRoleArn"].rpartition("/")[2]
    statements = [s for s in nightly.policies_of(role) if "s3:" in str(s["Action"])]
    reach = sorted(
        str(resource).partition("/")[2]
        for statement in statements
        for resource in synthesis.listed(statement["Resource"])
    )
    assert reach == ["predictions/tideline-nightly-2*", "requests/*", "runs/*", "transforms/*"]


def test_a_month_without_a_file_costs_no_instance(nightly: Deployment, dev: Deployment) -> None:
    idle = [float(d.templates["serving"]["Outputs"]["IdleUsdPerMonth"]["Value"]) for d in (nightly, dev)]
    assert idle[0] < 10 < idle[1]


def _actions(deployment: Deployment, handler: str) -> list[str]:
    role: Any = deployment.function(handler).properties["Role"].rpartition("/")[2]
    return [action for s in deployment.policies_of(role) for action in synthesis.listed(s["Action"])]
