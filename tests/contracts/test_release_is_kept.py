"""However it is deployed, Serving keeps the release that it runs: nothing but `release_model` gives that parameter."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from config.schema import ROOT
from domain.names import RELEASE_PARAMETER
from rehearsal.engine import Account
from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.delivery import cdk
from rehearsal.engine.delivery.shims import Command
from tests.engine.runtime_world import START, World
from tests.engine.test_assembly import stack, write
from tests.stacks.delivery_synthesis import variant
from tests.stacks.synthesis import Deployment

OLD, NEW = "/tideline/dev/releases/none", "/tideline/dev/releases/000042"


def makefile() -> str:
    return (ROOT / "Makefile").read_text().replace("\\\n", " ")


def test_the_parameter_is_serving_s_and_its_default_is_no_release(dev: Deployment) -> None:
    assert dev.templates["serving"]["Parameters"][RELEASE_PARAMETER]["Default"] == OLD


def test_make_gives_no_parameter_but_the_image_and_lets_no_parameter_go() -> None:
    deploys = [line for line in makefile().splitlines() if "$(CDK) deploy" in line]
    assert len(deploys) >= 3
    given = [found for line in deploys for found in re.findall(r"--parameters\s+(\S+)", line)]
    assert given == ['"$$training:Image=$$digest";']
    assert "training=$$($(PY) -m cli --env $(ENV) names training)" in makefile()
    assert "no-previous-parameters" not in makefile()


@pytest.mark.parametrize("source", ["s3", "connection", "codecommit"])
def test_the_pipeline_deploys_by_make_alone(source: str) -> None:
    """CodePipeline's own CloudFormation action would send the default of each parameter that it does not name."""
    delivery = variant(source)
    providers = {
        action["ActionTypeId"]["Provider"]
        for pipeline in delivery.of_type("AWS::CodePipeline::Pipeline")
        for stage in pipeline.properties["Stages"]
        for action in stage["Actions"]
    }
    assert "CloudFormation" not in providers
    assert "CloudFormationStackSet" not in providers
    specs = [r.properties["Source"]["BuildSpec"] for r in delivery.of_type("AWS::CodeBuild::Project")]
    commands = [c for spec in specs for c in json.loads(spec)["phases"]["build"]["commands"]]
    assert [c for c in commands if "cdk" in c or "cloudformation" in c] == []
    assert 'make "$TARGET" ENV=dev IMAGE="$IMAGE" APPROVAL=never' in commands


def test_no_grant_but_release_model_s_updates_serving(dev: Deployment) -> None:
    updaters = {
        role["Ref"]
        for policy in dev.of_type("AWS::IAM::Policy")
        if "cloudformation:UpdateStack" in json.dumps(policy.properties)
        for role in policy.raw["Properties"]["Roles"]
    }
    assert len(updaters) == 1
    assert "ReleaseModel" in updaters.pop()


def serving(directory: Path, size: int) -> Path:
    """A stack with the parameter as Serving has it, and something that a change of code changes."""
    shown = [{"Key": "release", "Value": {"Fn::Select": [0, {"Ref": RELEASE_PARAMETER}]}}]
    properties = {"QueueName": "q", "DelaySeconds": size, "Tags": shown}
    queue = {"Type": "AWS::SQS::Queue", "Properties": properties}
    parameter = {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": OLD}
    sections = {"Parameters": {RELEASE_PARAMETER: parameter}}
    return write(directory, {"serving": stack("serving")}, {"serving": {"Q": queue, "Sections": sections}})


@pytest.mark.parametrize("way", ["the engine's own deployer", "cdk deploy in a build"])
def test_a_change_of_code_keeps_the_release_however_it_is_deployed(tmp_path: Path, way: str) -> None:
    with Account(start=START, directory=tmp_path / "account") as account:
        ssm, cloudformation = account.client("ssm"), account.client("cloudformation")
        for key, value in ((OLD, "none,-"), (NEW, "000042,-")):
            ssm.put_parameter(Name=key, Value=value, Type="StringList")
        assembly.deploy(account, serving(tmp_path / "one", 1))
        cloudformation.update_stack(
            StackName="serving",
            UsePreviousTemplate=True,
            Parameters=[
                {"ParameterKey": RELEASE_PARAMETER, "ParameterValue": NEW},
                {"ParameterKey": "BootstrapVersion", "UsePreviousValue": True},
            ],
        )
        account.pump()
        changed = serving(tmp_path / "two", 2)
        if way == "the engine's own deployer":
            assembly.deploy(account, changed)
        else:
            (tmp_path / "cdk.json").write_text(json.dumps({"app": f'cp -r {changed} "$CDK_OUTDIR"'}))
            argv = ("cdk", "deploy", "*", "--require-approval", "never")
            role = World(account).role("builder", trusts="codebuild.amazonaws.com")
            answer = cdk.tool(account)(Command(argv, tmp_path, "", {"PATH": "/usr/bin:/bin"}, role))
            assert answer.code == 0, answer.err
        found = cloudformation.describe_stacks(StackName="serving")["Stacks"][0]
        values = {p["ParameterKey"]: p["ParameterValue"] for p in found["Parameters"]}
        assert values[RELEASE_PARAMETER] == NEW
        url = account.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
        delay = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
        assert delay["Attributes"]["DelaySeconds"] == "2"
