"""A cloud assembly, deployed as `cdk deploy --all` deploys it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import Unsupported
from rehearsal.engine.cloudformation import assembly
from tests.engine.stack_world import World, impossible, queue, world

__all__ = ["world"]

BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-us-east-1"
EXECUTOR = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/cdk-hnb659fds-cfn-exec-role-${AWS::AccountId}-us-east-1"
BOOTSTRAP = {
    "BootstrapVersion": {
        "Type": "AWS::SSM::Parameter::Value<String>",
        "Default": "/cdk-bootstrap/hnb659fds/version",
    }
}


def stack(
    name: str,
    *,
    needs: tuple[str, ...] = (),
    executor: str = EXECUTOR,
    environment: str = "unknown-region",
    **more: Any,
) -> dict[str, Any]:
    return {
        "type": "aws:cloudformation:stack",
        "environment": "aws://unknown-account/unknown-region",
        "properties": {
            "templateFile": f"{name}.template.json",
            "stackName": name,
            "cloudFormationExecutionRoleArn": executor,
            **more,
        },
        "dependencies": [*needs, f"{name}.assets"],
    }


def write(
    directory: Path, artifacts: dict[str, Any], templates: dict[str, dict[str, Any]], **files: Any
) -> Path:
    """The files that synth writes: manifest, templates, and an asset manifest per stack."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, resources in templates.items():
        sections = resources.pop("Sections", {})
        slots = {**BOOTSTRAP, **sections.pop("Parameters", {})}
        template = {"Parameters": slots, "Resources": resources, **sections}
        (directory / f"{name}.template.json").write_text(json.dumps(template))
        published = {"version": "55.0.0", "files": files.get(name, {}), "dockerImages": {}}
        (directory / f"{name}.assets.json").write_text(json.dumps(published))
        artifacts[f"{name}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{name}.assets.json"},
        }
    (directory / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": artifacts}))
    return directory


def statuses(world: World, name: str) -> list[str]:
    return [
        entry.facts["status"] for entry in world.account.journal.of("stack") if entry.facts["stack"] == name
    ]


def test_stacks_come_in_the_order_of_their_dependencies_and_may_import_each_other(
    world: World, tmp_path: Path
) -> None:
    exported = {"Url": {"Value": {"Ref": "Q"}, "Export": {"Name": "order-b:Url"}}}
    imports = {"Q": queue(Tags=[{"Key": "of", "Value": {"Fn::ImportValue": "order-b:Url"}}])}
    write(
        tmp_path,
        {"order-a": stack("order-a", needs=("order-b",)), "order-b": stack("order-b")},
        {"order-a": imports, "order-b": {"Q": queue(), "Sections": {"Outputs": exported}}},
    )
    assert assembly.deploy(world.account, tmp_path) == ["order-b", "order-a"]
    assert assembly.destroy(world.account, tmp_path) == ["order-a", "order-b"]
    with pytest.raises(ClientError, match="does not exist"):
        world.stack("order-b")


def test_a_second_deployment_of_the_same_assembly_changes_nothing(world: World, tmp_path: Path) -> None:
    write(tmp_path, {"calm": stack("calm", tags={"a": "b"})}, {"calm": {"Q": queue()}})
    assert assembly.deploy(world.account, tmp_path) == assembly.deploy(world.account, tmp_path) == ["calm"]
    assert statuses(world, "calm") == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
    assert world.stack("calm")["Tags"] == [{"Key": "a", "Value": "b"}]
    assert world.stack("calm")["RoleARN"].endswith(":role/cdk-hnb659fds-cfn-exec-role-123456789012-us-east-1")


def test_the_stacks_of_a_stage_deploy_from_their_own_assembly(world: World, tmp_path: Path) -> None:
    write(tmp_path / "assembly-dev", {"staged": stack("staged")}, {"staged": {"Q": queue("staged-q")}})
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-dev"}}
    write(tmp_path, {"dev": stage, "outer": stack("outer")}, {"outer": {"Q": queue()}})
    assert assembly.deploy(world.account, tmp_path, only=["staged"]) == ["staged"]
    assert world.queue("staged-q")
    assert assembly.deploy(world.account, tmp_path) == ["staged", "outer"]


def test_a_directory_asset_is_zipped_to_the_bucket_that_the_manifest_names(
    world: World, tmp_path: Path
) -> None:
    source = tmp_path / "asset.abc"
    source.mkdir()
    (source / "app.py").write_text("print(1)")
    (source / "run.sh").write_text("true")
    (source / "run.sh").chmod(0o755)
    destination = {"bucketName": BUCKET, "objectKey": "abc.zip"}
    asset = {"source": {"path": "asset.abc", "packaging": "zip"}, "destinations": {"here": destination}}
    write(tmp_path, {"packed": stack("packed")}, {"packed": {"Q": queue()}}, packed={"abc": asset})
    assembly.deploy(world.account, tmp_path)
    bucket = "cdk-hnb659fds-assets-123456789012-us-east-1"
    body = world.account.client("s3").get_object(Bucket=bucket, Key="abc.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        modes = {entry.filename: (entry.external_attr >> 16) & 0o777 for entry in archive.infolist()}
    assert modes == {"app.py": 0o644, "run.sh": 0o755}
    os.utime(source / "app.py", (1, 1))
    assert assembly.zipped(source) == body


def test_parameters_are_given_once_and_kept(world: World, tmp_path: Path) -> None:
    slots = {"Image": {"Type": "String", "Default": "none"}}
    resources = {"Q": queue(Tags=[{"Key": "image", "Value": {"Ref": "Image"}}])}
    write(tmp_path, {"imaged": stack("imaged")}, {"imaged": {**resources, "Sections": {"Parameters": slots}}})
    assembly.deploy(world.account, tmp_path)
    assembly.deploy(world.account, tmp_path, parameters={"imaged": {"Image": "sha256:1"}})
    assembly.deploy(world.account, tmp_path)
    given = {item["ParameterKey"]: item["ParameterValue"] for item in world.stack("imaged")["Parameters"]}
    assert given == {"Image": "sha256:1", "BootstrapVersion": "/cdk-bootstrap/hnb659fds/version"}


def test_parameters_for_a_stack_that_is_not_there_are_refused(world: World, tmp_path: Path) -> None:
    write(tmp_path, {"real": stack("real")}, {"real": {"Q": queue()}})
    with pytest.raises(ValueError, match="parameters are given for unreal; the stacks to deploy are real"):
        assembly.deploy(world.account, tmp_path, parameters={"unreal": {}})
    with pytest.raises(ValueError, match="the assembly has no stack unreal; it has real"):
        assembly.deploy(world.account, tmp_path, only=["unreal"])


def test_a_failed_stack_stops_the_deployment_with_its_resource_and_reason(
    world: World, tmp_path: Path
) -> None:
    artifacts = {"broken": stack("broken"), "after": stack("after", needs=("broken",))}
    write(tmp_path, artifacts, {"broken": {"Z": impossible()}, "after": {"Q": queue()}})
    with pytest.raises(
        assembly.DeploymentFailed, match=r"broken is ROLLBACK_COMPLETE: AWS::IAM::Policy \(Z\): .*nobody"
    ):
        assembly.deploy(world.account, tmp_path)
    assert not statuses(world, "after")
    write(tmp_path, artifacts, {"broken": {"Q": queue()}, "after": {"Q": queue()}})
    assert assembly.deploy(world.account, tmp_path) == ["broken", "after"]
    assert "DELETE_COMPLETE" in statuses(world, "broken")


def test_an_unchanged_stack_that_came_to_rest_by_a_rollback_is_a_successful_deployment(
    world: World, tmp_path: Path
) -> None:
    """So it is after a release that rolled back: nothing is left to update, and the CLI is content."""
    artifacts, name = {"back": stack("back")}, "back"
    assembly.deploy(world.account, write(tmp_path / "good", artifacts, {name: {"Q": queue()}}))
    broken = write(tmp_path / "broken", {name: stack(name)}, {name: {"Q": queue(), "Z": impossible()}})
    with pytest.raises(assembly.DeploymentFailed, match="back is UPDATE_ROLLBACK_COMPLETE"):
        assembly.deploy(world.account, broken)
    before = statuses(world, name)

    assert assembly.deploy(world.account, tmp_path / "good") == [name]
    assert statuses(world, name) == before
    assert before[-1] == "UPDATE_ROLLBACK_COMPLETE"


def test_nothing_is_made_when_one_template_needs_what_the_account_lacks(world: World, tmp_path: Path) -> None:
    templates = {"fine": {"Q": queue()}, "strange": {"Net": {"Type": "AWS::EC2::VPC"}}}
    write(tmp_path, {"fine": stack("fine"), "strange": stack("strange", needs=("fine",))}, templates)
    with pytest.raises(Unsupported, match=r"AWS::EC2::VPC \(Net\) in stack strange"):
        assembly.deploy(world.account, tmp_path)
    assert not statuses(world, "fine")


def test_an_image_asset_stops_by_name(world: World, tmp_path: Path) -> None:
    write(tmp_path, {"imaged-asset": stack("imaged-asset")}, {"imaged-asset": {"Q": queue()}})
    manifest = {"version": "55.0.0", "files": {}, "dockerImages": {"abc": {}}}
    (tmp_path / "imaged-asset.assets.json").write_text(json.dumps(manifest))
    with pytest.raises(Unsupported, match=r"docker image assets in imaged-asset\.assets\.json"):
        assembly.deploy(world.account, tmp_path)


def test_termination_protection_follows_the_assembly_and_stops_a_destruction(
    world: World, tmp_path: Path
) -> None:
    write(tmp_path, {"safe": stack("safe", terminationProtection=True)}, {"safe": {"Q": queue()}})
    assembly.deploy(world.account, tmp_path)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        assembly.destroy(world.account, tmp_path)
    write(tmp_path, {"safe": stack("safe", terminationProtection=False)}, {"safe": {"Q": queue()}})
    assembly.deploy(world.account, tmp_path)
    assembly.destroy(world.account, tmp_path)


def test_a_stack_may_deploy_under_a_role_that_an_earlier_stack_made(world: World, tmp_path: Path) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    may = {"Effect": "Allow", "Action": ["sqs:CreateQueue", "ssm:GetParameters"], "Resource": "*"}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": "own-deployer",
            "AssumeRolePolicyDocument": document,
            "Policies": [{"PolicyName": "own", "PolicyDocument": {**document, "Statement": [may]}}],
        },
    }
    own = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/own-deployer"
    write(
        tmp_path,
        {"guest": stack("guest", needs=("host",), executor=own), "host": stack("host")},
        {"guest": {"Q": queue()}, "host": {"R": role}},
    )
    assert assembly.deploy(world.account, tmp_path) == ["host", "guest"]
    assert world.stack("guest")["RoleARN"] == "arn:aws:iam::123456789012:role/own-deployer"
