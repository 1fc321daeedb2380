"""Contracts with moto 5.2.5: what our CloudFormation and our reading of roles rely on, and that all is undone."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.responses import CloudFormationResponse
from moto.s3.models import FakeBucket

from rehearsal.engine import Account, services
from rehearsal.engine.cloudformation import stacks
from rehearsal.engine.moto_seams import cloudformation, identity
from tests.engine.stack_world import START, World, queue, world

__all__ = ["world"]

TEMPLATE = json.dumps({"Resources": {"Q": queue("plain")}})
DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::denied/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def patched() -> dict[str, object]:
    names = ("create_stack", "describe_stacks", "create_change_set", "RESPONSE_KEY_PATH_TO_TRANSFORMER")
    return {name: vars(CloudFormationResponse)[name] for name in names} | {
        "get_permission": vars(FakeBucket)["get_permission"]
    }


def test_everything_is_as_before_once_the_account_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "SERVICES", (stacks, *services.SERVICES[1:]))
    before, operations = patched(), set(vars(CloudFormationResponse))
    with Account(start=START, directory=tmp_path):
        assert not any(patched()[name] is before[name] for name in before)
    assert patched() == before
    assert set(vars(CloudFormationResponse)) == operations


def test_plain_moto_still_deploys_a_stack_by_itself() -> None:
    with mock_aws():
        client = boto3.client("cloudformation", region_name="us-east-1")
        client.create_stack(StackName="plain", TemplateBody=TEMPLATE)
        assert client.describe_stacks(StackName="plain")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_moto_itself_still_ignores_the_condition_of_a_bucket_policy() -> None:
    """When this fails, `admit_every_bucket_access` can go."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="denied")
        s3.put_bucket_policy(
            Bucket="denied", Policy=json.dumps({"Version": "2012-10-17", "Statement": [DENY]})
        )
        with pytest.raises(s3.exceptions.ClientError, match="403"):
            s3.put_object(Bucket="denied", Key="k", Body=b"x")


def test_an_answer_keeps_aws_s_shape_over_http_too(world: World) -> None:
    world.create("over-http", {"Q": queue()}, Tags=[{"Key": "a", "Value": "b"}])
    client = boto3.client(
        "cloudformation",
        region_name="us-east-1",
        endpoint_url=world.account.endpoint_url,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    stack = client.describe_stacks(StackName="over-http")["Stacks"][0]
    assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
    assert stack["EnableTerminationProtection"] is False
    with pytest.raises(
        client.exceptions.ClientError, match=r"ValidationError.*No updates are to be performed"
    ):
        client.update_stack(StackName="over-http", UsePreviousTemplate=True)


def test_an_error_of_the_engine_has_the_code_that_moto_sends() -> None:
    failure = cloudformation.error("SomeCode", "said")
    assert (failure.code, failure.message) == ("SomeCode", "said")


def test_a_role_s_documents_are_read_whole(world: World) -> None:
    iam = world.account.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = iam.create_role(RoleName="read-whole", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.attach_role_policy(RoleName="read-whole", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    documents = identity.role_documents(world.account, arn)
    assert documents is not None
    assert json.loads(documents.trust) == trust
    assert [statement["Action"] for statement in json.loads(documents.permissions[0])["Statement"]] == ["*"]
    assert documents.boundary is None
