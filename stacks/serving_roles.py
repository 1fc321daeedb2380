"""The roles around the endpoint: what the model may do, what a deploy of Serving may do, and who may start one.

They lie in Storage, so that Serving holds no IAM and its deploy role needs no right to make any.
"""

from __future__ import annotations

from aws_cdk import Aws, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from domain.names import ROLLBACK_ALARMS, Names, Prefix
from stacks.permissions import allow, allow_container, allow_pass_role, arn

VERSIONED = "-??????-????????"
"""What follows the deployment's name in a model or endpoint configuration: release id and shape; see serving.py."""


def model_role(
    stack: Stack,
    names: Names,
    *,
    artefacts: s3.IBucket,
    capture: s3.IBucket,
    images: ecr.IRepository,
    key: kms.IKey,
    has_rollback_alarms: bool,
) -> iam.Role:
    """What an endpoint may do: read its model and image, write its capture, logs and metrics."""
    role = iam.Role(stack, "ModelRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    allow(role, ["s3:GetObject"], [artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
    allow(role, ["s3:PutObject"], [capture.arn_for_objects(f"{Prefix.CAPTURE}{names.endpoint}/*")])
    allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
    allow_container(
        role,
        images=images,
        log_groups=[f"/aws/sagemaker/Endpoints/{names.endpoint}"],
        namespaces=["AWS/SageMaker", "/aws/sagemaker/Endpoints"],
    )
    if has_rollback_alarms:
        # AWS asks it of "your IAM execution role" and does not say whether that is this one or the caller's.
        allow(role, ["cloudwatch:DescribeAlarms"], rollback_alarm_arns(stack, names))
    return role


def batch_role(
    stack: Stack,
    names: Names,
    *,
    artefacts: s3.IBucket,
    data: s3.IBucket,
    images: ecr.IRepository,
    key: kms.IKey,
) -> iam.Role:
    """What a transform may do: read its model, its image and what it is to predict, write its output and logs."""
    role = iam.Role(stack, "ModelRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
    read = [artefacts.arn_for_objects(f"{prefix}*") for prefix in (Prefix.RUNS, Prefix.TRANSFORMS)]
    allow(role, ["s3:GetObject"], [*read, data.arn_for_objects(f"{Prefix.REQUESTS}*")])
    allow(role, ["s3:PutObject"], [data.arn_for_objects(f"{Prefix.PREDICTIONS}{names.deployment}-2*")])
    allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
    groups = ("/aws/sagemaker/TransformJobs",)
    allow_container(role, images=images, log_groups=groups, namespaces=groups)
    return role


def rollback_alarm_arns(stack: Stack, names: Names) -> list[str]:
    """The rollback alarms of all releases; see rollback_alarms.py for their names."""
    return [
        arn(stack, "cloudwatch", f"alarm:{names.deployment}{VERSIONED}-rollback-{kind}")
        for kind in ROLLBACK_ALARMS
    ]


def serving_deploy_role(stack: Stack, names: Names, *, model: iam.IRole, key: kms.IKey) -> iam.Role:
    """The role under which CloudFormation updates Serving: nothing but this endpoint's own parts.

    The same in each mode: a deploy that would change the mode is refused after Storage, and what is live must go on.
    """
    role = iam.Role(
        stack,
        "ServingDeployRole",
        role_name=names.serving_deploy_role,
        assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
    )
    kinds = ("Model", "EndpointConfig", "Endpoint")
    actions = [f"sagemaker:{verb}{kind}" for kind in kinds for verb in ("Create", "Delete", "Describe")]
    own = [
        arn(stack, "sagemaker", f"model/{names.deployment}{VERSIONED}"),
        arn(stack, "sagemaker", f"endpoint-config/{names.deployment}{VERSIONED}"),
        arn(stack, "sagemaker", f"endpoint/{names.endpoint}"),
    ]
    allow(role, [*actions, "sagemaker:UpdateEndpoint", "sagemaker:AddTags", "sagemaker:ListTags"], own)
    verbs = ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms", "TagResource", "ListTagsForResource")
    allow(role, [f"cloudwatch:{verb}" for verb in verbs], rollback_alarm_arns(stack, names))
    allow(role, ["ssm:GetParameters"], parameters_of_serving(stack, names))
    allow(role, ["kms:CreateGrant", "kms:DescribeKey"], [key.key_arn])
    allow_pass_role(role, model, to="sagemaker.amazonaws.com")
    return role


def parameters_of_serving(stack: Stack, names: Names) -> list[str]:
    """The SSM parameters that CloudFormation reads when it updates Serving: release records and CDK's own."""
    bootstrap = f"parameter/cdk-bootstrap/{stack.synthesizer.bootstrap_qualifier}/version"
    return [arn(stack, "ssm", f"parameter{names.release_prefix}*"), arn(stack, "ssm", bootstrap)]


def let_cdk_pass(stack: Stack, names: Names, role: iam.Role) -> None:
    """`cdk deploy` acts under the bootstrap's deploy role, and that may pass no role but the bootstrap's own.

    So it gets one more statement: pass Serving's deploy role to CloudFormation. The policy carries the
    deployment's name, since those of all deployments in the account hang on this one role.
    """
    qualifier = stack.synthesizer.bootstrap_qualifier
    statement = iam.PolicyStatement(
        actions=["iam:PassRole"],
        resources=[role.role_arn],
        conditions={"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
    )
    iam.CfnPolicy(
        stack,
        "CdkMayPassServingDeployRole",
        policy_name=f"{names.serving_deploy_role}-pass",
        policy_document=iam.PolicyDocument(statements=[statement]),
        roles=[f"cdk-{qualifier}-deploy-role-{Aws.ACCOUNT_ID}-{stack.region}"],
    )
