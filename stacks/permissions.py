"""Who may do what: one statement a line, every action by its name, and the ARNs and conditions that bound it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam


def arn(stack: Stack, service: str, resource: str) -> str:
    """An ARN in this stack's partition, region and account."""
    partition, region, account = _place(stack)
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


@cache
def _place(stack: Stack) -> tuple[str, str, str]:
    """Asked once a stack: each property is a message to the CDK's own process and back."""
    return stack.partition, stack.region, stack.account


def allow(
    role: iam.Role, actions: Sequence[str], resources: Sequence[str], conditions: dict[str, Any] | None = None
) -> None:
    """One statement of the role's own policy."""
    statement = iam.PolicyStatement(
        actions=list(actions), resources=list(resources), conditions=conditions or {}
    )
    role.add_to_policy(statement)  # add_to_principal_policy costs two more messages, which nobody reads


def allow_pass_role(role: iam.Role, passed: iam.IRole, *, to: str) -> None:
    """The right to hand this one role to this one service."""
    allow(role, ["iam:PassRole"], [passed.role_arn], {"StringEquals": {"iam:PassedToService": to}})


def allow_metrics(role: iam.Role, *namespaces: str) -> None:
    """PutMetricData has no resource to name; the namespace is its bound."""
    bound = {"StringEquals": {"cloudwatch:namespace": list(namespaces)}}
    allow(role, ["cloudwatch:PutMetricData"], ["*"], bound)


def allow_container(
    role: iam.Role, *, images: ecr.IRepository, log_groups: Sequence[str], namespaces: Sequence[str]
) -> None:
    """What SageMaker itself does under a role to run a container: pull its image, keep its logs and metrics."""
    stack = Stack.of(role)
    allow(
        role,
        ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
        [images.repository_arn],
    )
    allow(role, ["ecr:GetAuthorizationToken"], ["*"])
    groups = [arn(stack, "logs", f"log-group:{name}") for name in log_groups]
    allow(
        role,
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
        [*groups, *(f"{group}:*" for group in groups)],
    )
    allow_metrics(role, *namespaces)
