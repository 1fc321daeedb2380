"""Roles: who may assume them, what their credentials are good for, what their policies allow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.engine import roles
from tests.engine.runtime_world import World
from tests.engine.runtime_world import world as new_world

LAMBDA = "lambda.amazonaws.com"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("account")) as world:
        yield world


def role(world: World, name: str, *statements: dict[str, Any], trust: Any = None, **more: Any) -> str:
    iam = world.account.client("iam")
    trusts = trust or [{"Effect": "Allow", "Principal": {"Service": LAMBDA}, "Action": "sts:AssumeRole"}]
    document = json.dumps({"Version": "2012-10-17", "Statement": trusts})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, **more)["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return str(arn)


def allow(actions: Any, resources: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def allows(world: World, role_arn: str, action: str, resource: str) -> bool:
    return roles.refusal(world.account, role_arn, LAMBDA, action, resource) is None


def test_a_process_with_a_role_s_credentials_is_that_role_and_reaches_the_same_account(world: World) -> None:
    arn = role(world, "reader", allow("s3:PutObject", "arn:aws:s3:::reads/*"))
    world.account.client("s3").create_bucket(Bucket="reads")
    code = (
        "import boto3; boto3.client('s3').put_object(Bucket='reads', Key='k', Body=b'x');"
        "print(boto3.client('sts').get_caller_identity()['Arn'])"
    )
    environment = {"PATH": os.environ["PATH"], **roles.credentials(world.account, arn, LAMBDA)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "arn:aws:sts::123456789012:assumed-role/reader/lambda"
    assert world.account.client("s3").list_objects_v2(Bucket="reads")["KeyCount"] == 1


def test_a_client_of_a_role_acts_as_the_role(world: World) -> None:
    arn = role(world, "caller")
    sts = roles.client(world.account, arn, LAMBDA, "sts")
    assert sts.get_caller_identity()["Arn"].endswith("assumed-role/caller/lambda")


def test_a_service_that_the_role_does_not_trust_cannot_assume_it(world: World) -> None:
    arn = role(world, "for-lambda-only")
    with pytest.raises(
        PermissionError, match=r"allows principal 'sagemaker.amazonaws.com' to assume the role"
    ):
        roles.credentials(world.account, arn, "sagemaker.amazonaws.com")


def test_a_role_that_does_not_exist_cannot_be_assumed(world: World) -> None:
    with pytest.raises(PermissionError, match=r"Could not assume role arn:aws:iam::123456789012:role/ghost"):
        roles.credentials(world.account, "arn:aws:iam::123456789012:role/ghost", LAMBDA)


def test_a_trust_policy_with_a_deny_refuses_what_it_also_allows(world: World) -> None:
    both = [
        {"Effect": effect, "Principal": {"Service": [LAMBDA]}, "Action": ["sts:AssumeRole"]}
        for effect in ("Allow", "Deny")
    ]
    with pytest.raises(PermissionError):
        roles.credentials(world.account, role(world, "torn", trust=both), LAMBDA)


@pytest.mark.parametrize(
    "action, resource, allowed",
    [
        ("s3:GetObject", "arn:aws:s3:::data/runs/1", True),
        ("S3:getobject", "arn:aws:s3:::data/runs/1", True),
        ("s3:GetObject", "arn:aws:s3:::DATA/runs/1", False),
        ("s3:GetObject", "arn:aws:s3:::data/secret/1", False),
        ("s3:PutObject", "arn:aws:s3:::data/runs/1", False),
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:queue-a", True),
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:queue-ab", False),
        ("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:queue-x", False),
    ],
)
def test_wildcards_cover_what_iam_says_and_a_deny_wins(
    world: World, action: str, resource: str, allowed: bool
) -> None:
    name = f"wild-{action}-{resource}".replace(":", "-").replace("/", "-")
    arn = role(
        world,
        name,
        allow("s3:Get*", ["arn:aws:s3:::data/*"]),
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/secret/*"},
        allow(["sqs:SendMessage"], "arn:aws:sqs:*:*:queue-?"),
        {"Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:us-east-1:1:queue-x"},
    )
    assert allows(world, arn, action, resource) is allowed


def test_not_action_and_not_resource_cover_the_rest(world: World) -> None:
    arn = role(
        world, "rest", {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::private/*"}
    )
    assert allows(world, arn, "s3:GetObject", "arn:aws:s3:::public/a")
    assert not allows(world, arn, "iam:PassRole", "arn:aws:s3:::public/a")
    assert not allows(world, arn, "s3:GetObject", "arn:aws:s3:::private/a")


def test_a_managed_policy_allows_in_its_newest_default_version_only(world: World) -> None:
    iam = world.account.client("iam")
    document = [json.dumps({"Version": "2012-10-17", "Statement": [allow(a)]}) for a in ("s3:*", "sqs:*")]
    policy = iam.create_policy(PolicyName="versions", PolicyDocument=document[0])["Policy"]["Arn"]
    arn = role(world, "managed")
    iam.attach_role_policy(RoleName="managed", PolicyArn=policy)
    assert allows(world, arn, "s3:GetObject", "arn:aws:s3:::b/k")
    iam.create_policy_version(PolicyArn=policy, PolicyDocument=document[1], SetAsDefault=True)
    assert not allows(world, arn, "s3:GetObject", "arn:aws:s3:::b/k")


def test_a_permissions_boundary_takes_away_and_never_gives(world: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow(["s3:*", "sqs:*"])]})
    boundary = world.account.client("iam").create_policy(PolicyName="bounds", PolicyDocument=document)
    arn = role(world, "bound", allow(["s3:*", "kms:*"]), PermissionsBoundary=boundary["Policy"]["Arn"])
    assert allows(world, arn, "s3:GetObject", "*")
    assert not allows(world, arn, "kms:Decrypt", "*")
    assert not allows(world, arn, "sqs:SendMessage", "*")


def test_a_role_that_does_not_exist_is_allowed_nothing(world: World) -> None:
    assert not allows(world, "arn:aws:iam::123456789012:role/ghost", "s3:GetObject", "*")
