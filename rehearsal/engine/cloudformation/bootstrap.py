"""What `cdk bootstrap` leaves in an account: the assets bucket, the roles, and the version in SSM."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

QUALIFIER = "hnb659fds"  # CDK's default
VERSION = "30"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
ROLES = ("deploy", "file-publishing", "image-publishing", "lookup")


def bootstrap(account: Account) -> None:
    """Do what `cdk bootstrap` does, once; a bootstrapped account stays as it is."""
    where = f"{account.id}-{account.region}"
    try:
        account.client("ssm").put_parameter(
            Name=f"/cdk-bootstrap/{QUALIFIER}/version", Value=VERSION, Type="String"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise
        return
    elsewhere = account.region != "us-east-1"
    configuration = {"LocationConstraint": account.region} if elsewhere else {}
    account.client("s3").create_bucket(
        Bucket=f"cdk-{QUALIFIER}-assets-{where}",
        **({"CreateBucketConfiguration": configuration} if elsewhere else {}),
    )
    for name in ROLES:
        _role(account, f"cdk-{QUALIFIER}-{name}-role-{where}", {"AWS": f"arn:aws:iam::{account.id}:root"})
    executor = f"cdk-{QUALIFIER}-cfn-exec-role-{where}"
    _role(account, executor, {"Service": "cloudformation.amazonaws.com"})
    account.client("iam").attach_role_policy(RoleName=executor, PolicyArn=ADMINISTRATOR)


def _role(account: Account, name: str, principal: dict[str, str]) -> None:
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
