"""Serving: one endpoint as the release record says, none without one, and no IAM."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.estimate import of_tree
from domain.manifest import PROOF_VARIABLES, Proof
from domain.names import FILLER, Names
from domain.releases import ReleaseRecord, no_release
from tests.stacks.synthesis import Deployment, Resource

TYPES = ("ml.c5.large", "ml.m5.large", "ml.c6i.large")


def record(*types: str) -> list[str]:
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev@sha256:1"
    return (
        ReleaseRecord("000042", "s3://b/model.tar.gz", uri, "arn:package/7", types).to_parameter().split(",")
    )


def released(deployment: Deployment, kind: str, values: list[str]) -> dict[str, Any]:
    """The properties of Serving's one resource of a type under a release record."""
    stack = deployment.stack_name("serving")
    world = deployment.world.under(stack, Release=values)
    resource = deployment.one(kind)
    assert world.holds(stack, resource.raw["Condition"])
    properties: dict[str, Any] = world.resolve(stack, resource.raw["Properties"])
    return properties


def parts(deployment: Deployment) -> list[Resource]:
    return [r for r in deployment.resources if r.part == "serving"]


def test_serving_holds_a_model_a_configuration_an_endpoint_and_its_rollback_alarms_and_nothing_else(
    deployment: Deployment,
) -> None:
    alarms = 3 if deployment.config.serving.instance_count > 1 else 2
    assert sorted(r.kind for r in parts(deployment)) == [
        *["AWS::CloudWatch::Alarm"] * alarms,
        "AWS::SageMaker::Endpoint",
        "AWS::SageMaker::EndpointConfig",
        "AWS::SageMaker::Model",
    ]


def test_without_a_release_there_is_no_endpoint(dev: Deployment) -> None:
    stack = "tideline-dev-serving"
    release = dev.templates["serving"]["Parameters"]["Release"]
    assert release["Type"] == "AWS::SSM::Parameter::Value<List<String>>"
    assert release["Default"] == Names("tideline", "dev").release_parameter("none")
    world = dev.world.under(stack, Release=no_release().split(","))
    assert {world.holds(stack, r.raw["Condition"]) for r in parts(dev)} == {False}


def test_the_default_release_is_a_parameter_that_storage_makes(dev: Deployment) -> None:
    parameter = dev.one("AWS::SSM::Parameter").properties
    assert parameter["Name"] == dev.templates["serving"]["Parameters"]["Release"]["Default"]
    assert (parameter["Type"], parameter["Value"]) == ("StringList", no_release())


def test_the_endpoint_runs_what_the_record_says(dev: Deployment) -> None:
    model = released(dev, "AWS::SageMaker::Model", record(*TYPES))
    assert model["PrimaryContainer"] == {
        "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev@sha256:1",
        "ModelDataUrl": "s3://b/model.tar.gz",
        "Environment": {
            "TIDELINE_MODEL": "arn:package/7",
            "TIDELINE_RELEASE": "000042",
            **dict.fromkeys(PROOF_VARIABLES, "-"),
        },
    }
    endpoint = released(dev, "AWS::SageMaker::Endpoint", record(*TYPES))
    config = released(dev, "AWS::SageMaker::EndpointConfig", record(*TYPES))
    assert endpoint["EndpointName"] == "tideline-dev"
    assert endpoint["EndpointConfigName"] == config["EndpointConfigName"]
    assert config["ProductionVariants"][0]["ModelName"] == model["ModelName"]


def test_the_container_is_handed_the_proof_of_its_model(dev: Deployment) -> None:
    """By a parameter of its own: records of before, which never change, have no room for it."""
    proof = Proof("tideline-manifest=1 run=run-1", "c2ln", "a2V5")
    stack = dev.stack_name("serving")
    world = dev.world.under(stack, Release=record(*TYPES), Proof=proof.to_parameter())
    properties = dev.templates["serving"]["Resources"]["Model"]["Properties"]
    environment = world.resolve(stack, properties)["PrimaryContainer"]["Environment"]
    assert {name: environment[name] for name in PROOF_VARIABLES} == {
        "TIDELINE_MANIFEST": proof.manifest,
        "TIDELINE_SIGNATURE": proof.signature,
        "TIDELINE_PUBLIC_KEY": proof.public_key,
    }


@pytest.mark.parametrize("count", [1, 2, 3])
def test_instance_pools_are_the_record_s_types_in_order(dev: Deployment, count: int) -> None:
    (variant,) = released(dev, "AWS::SageMaker::EndpointConfig", record(*TYPES[:count]))["ProductionVariants"]
    assert variant["InstancePools"] == [
        {"InstanceType": name, "Priority": priority} for priority, name in enumerate(TYPES[:count], start=1)
    ]
    assert "InstanceType" not in variant
    assert FILLER not in str(variant["InstancePools"])


def test_production_runs_the_count_of_its_config(prod: Deployment) -> None:
    (variant,) = released(prod, "AWS::SageMaker::EndpointConfig", record(TYPES[0]))["ProductionVariants"]
    assert variant["InitialInstanceCount"] == 2


def test_the_model_has_no_network(dev: Deployment) -> None:
    assert dev.one("AWS::SageMaker::Model").properties["EnableNetworkIsolation"] is True


def test_every_request_is_captured_in_and_out(dev: Deployment) -> None:
    capture = dev.one("AWS::SageMaker::EndpointConfig").properties["DataCaptureConfig"]
    assert capture["EnableCapture"] is True
    assert capture["InitialSamplingPercentage"] == 100
    assert [option["CaptureMode"] for option in capture["CaptureOptions"]] == ["Input", "Output"]
    bucket = dev.resolve("storage", {"Ref": dev.one("AWS::S3::Bucket", "Capture").logical_id})
    assert capture["DestinationS3Uri"] == f"s3://{bucket}/capture"


def test_a_new_release_and_a_new_shape_make_new_names(dev: Deployment, prod: Deployment) -> None:
    names = {
        released(deployment, "AWS::SageMaker::Model", [release_id, *record(TYPES[0])[1:]])["ModelName"]
        for deployment in (dev, prod)
        for release_id in ("000042", "000043")
    }
    shapes = {name.rsplit("-", 1)[1] for name in names}
    assert (len(names), len(shapes)) == (4, 2)


def test_what_the_endpoint_may_go_back_to_is_kept_and_the_alarms_are_not(dev: Deployment) -> None:
    kept = {r.kind.rsplit(":", 1)[1]: r.raw.get("UpdateReplacePolicy") for r in parts(dev)}
    assert kept == {"Model": "Retain", "EndpointConfig": "Retain", "Endpoint": None, "Alarm": None}


def test_the_server_publishes_only_where_an_alarm_compares(dev: Deployment, prod: Deployment) -> None:
    def environment(deployment: Deployment) -> dict[str, Any]:
        found: dict[str, Any] = deployment.one("AWS::SageMaker::Model").properties["PrimaryContainer"]
        return dict(found["Environment"])

    assert "TIDELINE_ENDPOINT" not in environment(dev)
    assert environment(prod)["TIDELINE_ENDPOINT"] == "tideline-prod"
    assert [a.logical_id for a in prod.of_type("AWS::CloudWatch::Alarm", "serving")][-1] == "RollbackShift"


def test_one_instance_goes_all_at_once_and_two_as_a_canary_of_one(dev: Deployment, prod: Deployment) -> None:
    def routing(deployment: Deployment) -> dict[str, Any]:
        policy = deployment.one("AWS::SageMaker::Endpoint").properties["DeploymentConfig"]
        return dict(policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"])

    assert routing(dev) == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 600}
    assert routing(prod)["CanarySize"] == {"Type": "INSTANCE_COUNT", "Value": 1}
    assert "50% of the traffic" in prod.templates["serving"]["Outputs"]["ReleasePlan"]["Value"]


def test_every_release_has_alarms_of_its_own(dev: Deployment) -> None:
    stack = dev.stack_name("serving")
    names = set()
    for release_id in ("000042", "000043"):
        world = dev.world.under(stack, Release=[release_id, *record(TYPES[0])[1:]])
        for alarm in dev.of_type("AWS::CloudWatch::Alarm", "serving"):
            names.add(world.resolve(stack, alarm.raw["Properties"]["AlarmName"]))
    assert len(names) == 4
    assert all(name.startswith("tideline-dev-00004") and "-rollback-" in name for name in names)


def test_only_serving_is_deployed_under_a_role_of_its_own(dev: Deployment) -> None:
    manifest = json.loads((dev.directory / "assembly-dev" / "manifest.json").read_text())
    roles = {
        a["properties"]["stackName"].rsplit("-", 1)[1]: a["properties"][
            "cloudFormationExecutionRoleArn"
        ].rsplit("/")[1]
        for a in manifest["artifacts"].values()
        if a["type"] == "aws:cloudformation:stack"
    }
    assert roles.pop("serving") == dev.one("AWS::IAM::Role", "ServingDeployRole").properties["RoleName"]
    assert set(roles.values()) == {"cdk-hnb659fds-cfn-exec-role-${AWS::AccountId}-us-east-1"}


def outputs(deployment: Deployment) -> dict[str, float]:
    found = deployment.templates["serving"]["Outputs"]
    return {name: float(found[name]["Value"]) for name in ("IdleUsdPerMonth", "CeilingUsdPerMonth")}


def test_what_a_month_costs_is_said_before_a_deploy(
    dev: Deployment, prod: Deployment, brought: Deployment
) -> None:
    """ml.c5.large is 0.102 an hour: 74.46 a month; 18 alarms, 9 metrics, a dashboard 7.50; a queue's polling 0.26.

    In prod one more alarm compares four metrics, and counts as four.
    """
    assert [len(d.of_type("AWS::CloudWatch::Alarm")) for d in (dev, prod)] == [18, 19]
    assert outputs(dev) == {"IdleUsdPerMonth": 84.22, "CeilingUsdPerMonth": 109.22}
    assert outputs(brought)["IdleUsdPerMonth"] == 83.22  # a brought key is somebody else's dollar
    assert outputs(prod) == {"IdleUsdPerMonth": 159.08, "CeilingUsdPerMonth": 259.08}
    assert "1 x ml.c5.large 74.46" in dev.templates["serving"]["Outputs"]["IdleUsdPerMonth"]["Description"]


def test_the_estimate_at_rest_is_what_the_stack_says_of_itself(dev: Deployment) -> None:
    lines = of_tree(dev.config, requests_per_day=1000, request_bytes=1000, answer_bytes=100)
    idle = round(sum(line.idle_usd for line in lines), 2)
    assert idle == outputs(dev)["IdleUsdPerMonth"]
