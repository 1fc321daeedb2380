"""Least privilege: actions by name, resources by ARN, roles that trust one service, and nothing wider."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stacks.synthesis import Deployment, listed

RESOURCELESS = {
    "application-autoscaling:DescribeScalableTargets": "lists have no resource",
    "application-autoscaling:DescribeScalingPolicies": "lists have no resource",
    "cloudwatch:GetMetricStatistics": "IAM knows no resource for it; it only reads",
    "cloudwatch:PutMetricData": "IAM knows no resource for it; the namespace is its bound",
    "ecr:GetAuthorizationToken": "a token is the account's, not a repository's",
    "sagemaker:ListEndpointConfigs": "lists have no resource",
    "sagemaker:ListModels": "lists have no resource",
    "xray:PutTraceSegments": "traces have no resource",
    "xray:PutTelemetryRecords": "traces have no resource",
}
"""The only actions that may stand beside Resource `*`, and why."""
TRUSTED = {"lambda.amazonaws.com", "sagemaker.amazonaws.com", "cloudformation.amazonaws.com"}


def statements(deployment: Deployment) -> Iterator[tuple[str, dict[str, Any]]]:
    for policy in deployment.of_type("AWS::IAM::Policy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            yield policy.logical_id, statement


def test_no_policy_names_an_action_with_a_wildcard(deployment: Deployment) -> None:
    wild = [
        (where, a) for where, s in statements(deployment) for a in listed(s["Action"]) if "*" in a or "?" in a
    ]
    assert wild == []


def test_only_actions_without_resources_are_allowed_everywhere(deployment: Deployment) -> None:
    everywhere = {
        action
        for _, statement in statements(deployment)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert everywhere == set(RESOURCELESS)


def test_a_statement_about_metrics_names_its_namespaces(deployment: Deployment) -> None:
    for where, statement in statements(deployment):
        if "cloudwatch:PutMetricData" in listed(statement["Action"]):
            assert statement["Condition"]["StringEquals"]["cloudwatch:namespace"], where


def test_a_role_is_passed_by_its_arn_and_to_one_service(deployment: Deployment) -> None:
    passing = [(where, s) for where, s in statements(deployment) if "iam:PassRole" in listed(s["Action"])]
    assert len(passing) == 5
    roles = {
        deployment.resolve(r.part, {"Fn::GetAtt": [r.logical_id, "Arn"]})
        for r in deployment.of_type("AWS::IAM::Role")
    }
    for where, statement in passing:
        assert listed(statement["Action"]) == ["iam:PassRole"], where
        assert set(listed(statement["Resource"])) <= roles, where
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"] in TRUSTED, where


def test_no_policy_reaches_beyond_this_deployment_and_account(deployment: Deployment) -> None:
    """Every ARN has this account or is S3's, and names this deployment or what SageMaker and CDK name themselves."""
    name = f"{deployment.config.name}-{deployment.config.environment}"
    shared = (
        r":(training|processing)-job/pipelines-\*$",
        r":application-autoscaling:[\w-]+:\d+:scalable-target/\*$",
        r":log-group:/aws/sagemaker/(Training|Processing)Jobs(:\*)?$",
        r":parameter/cdk-bootstrap/hnb659fds/version$",
        rf":parameter/{deployment.config.name}/{deployment.config.environment}/releases/\*$",
        rf":codepipeline:[\w-]+:\d+:{deployment.config.name}-delivery(/{deployment.config.environment}-Wait/Release)?$",
    )
    brought = [str(value) for value in deployment.config.bring.model_dump().values() if value]
    for where, statement in statements(deployment):
        for resource in listed(statement["Resource"]):
            if resource == "*" or any(value in resource for value in brought):
                continue
            assert ":123456789012:" in resource or resource.startswith("arn:aws:s3:::"), (where, resource)
            assert name in resource or any(re.search(s, resource) for s in shared), (where, resource)


def test_every_role_trusts_one_service_and_hangs_on_one_policy(deployment: Deployment) -> None:
    for role in deployment.of_type("AWS::IAM::Role"):
        (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Action"] == "sts:AssumeRole"
        assert trust["Principal"]["Service"] in TRUSTED, role.logical_id
        assert "ManagedPolicyArns" not in role.properties, role.logical_id
        assert "Policies" not in role.properties, role.logical_id


def test_the_boundary_is_on_every_role_if_one_is_brought(brought: Deployment, dev: Deployment) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    assert {r.properties.get("PermissionsBoundary") for r in brought.of_type("AWS::IAM::Role")} == {boundary}
    assert {r.properties.get("PermissionsBoundary") for r in dev.of_type("AWS::IAM::Role")} == {None}


def test_cdk_s_deploy_role_may_pass_serving_s_deploy_role_and_gets_nothing_else(
    deployment: Deployment,
) -> None:
    (policy,) = (
        p for p in deployment.of_type("AWS::IAM::Policy") if p.logical_id == "CdkMayPassServingDeployRole"
    )
    name = f"{deployment.config.name}-{deployment.config.environment}-serving-deploy"
    assert policy.properties == {
        "PolicyName": f"{name}-pass",
        "Roles": ["cdk-hnb659fds-deploy-role-123456789012-us-east-1"],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "iam:PassRole",
                    "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
                    "Effect": "Allow",
                    "Resource": f"arn:aws:iam::123456789012:role/{name}",
                }
            ],
        },
    }


def test_serving_s_deploy_role_can_make_nothing_but_this_endpoint_s_parts(dev: Deployment) -> None:
    actions = {a for s in dev.policies_of("tideline-dev-serving-deploy") for a in listed(s["Action"])}
    services = {action.split(":")[0] for action in actions}
    assert services == {"application-autoscaling", "cloudwatch", "sagemaker", "ssm", "kms", "iam"}
    assert {a for a in actions if a.startswith(("iam:", "kms:", "ssm:"))} == {
        "iam:PassRole",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "ssm:GetParameters",
    }


def test_the_names_that_serving_s_deploy_role_may_use_are_those_that_serving_uses(dev: Deployment) -> None:
    record = ["000042", "s3://b/m.tar.gz", "repo@sha256:1", "arn:p/1", "ml.c5.large", "-", "-"]
    released = dev.world.under("tideline-dev-serving", Release=record)
    model, endpoint = (
        released.resolve("tideline-dev-serving", {"Ref": name}) for name in ("Model", "Endpoint")
    )
    (statement,) = (
        s for s in dev.policies_of("tideline-dev-serving-deploy") if "sagemaker:CreateModel" in s["Action"]
    )
    allowed = [re.escape(arn).replace(r"\?", ".").replace(r"\*", ".*") for arn in statement["Resource"]]
    for resource in (f"model/{model}", f"endpoint-config/{model}", f"endpoint/{endpoint}"):
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:{resource}"
        assert any(re.fullmatch(pattern, arn) for pattern in allowed), arn


@pytest.mark.parametrize("other", ["tideline-dev-x1", "tideline-prod", "tideline-dev2"])
def test_and_never_those_of_another_deployment(dev: Deployment, other: str) -> None:
    (statement,) = (
        s for s in dev.policies_of("tideline-dev-serving-deploy") if "sagemaker:CreateModel" in s["Action"]
    )
    allowed = [re.escape(arn).replace(r"\?", ".").replace(r"\*", ".*") for arn in statement["Resource"]]
    for resource in (
        f"model/{other}-000042-0123abcd",
        f"endpoint-config/{other}-000042-0123abcd",
        f"endpoint/{other}",
    ):
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:{resource}"
        assert not any(re.fullmatch(pattern, arn) for pattern in allowed), arn


def test_the_alarms_that_serving_s_deploy_role_may_make_are_those_of_a_release(dev: Deployment) -> None:
    (statement,) = (
        s
        for s in dev.policies_of("tideline-dev-serving-deploy")
        if "cloudwatch:PutMetricAlarm" in listed(s["Action"])
    )
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:tideline-dev"
    kinds = ("latency", "5xx", "shift")
    assert set(statement["Resource"]) == {f"{arn}-??????-????????-rollback-{kind}" for kind in kinds}


def test_release_model_updates_serving_alone_and_takes_no_template_by_its_address(dev: Deployment) -> None:
    role = dev.function("release_model").properties["Role"].rsplit("/", 1)[1]
    (update,) = (s for s in dev.policies_of(role) if s["Action"] == "cloudformation:UpdateStack")
    assert update["Condition"] == {"Null": {"cloudformation:TemplateUrl": "true"}}
    assert update["Resource"] == "arn:aws:cloudformation:us-east-1:123456789012:stack/tideline-dev-serving/*"
