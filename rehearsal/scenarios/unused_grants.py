"""The grants that the standard scenario never uses, and why each stands: the one place for such reasons.

A grant without a reason fails the rehearsal; so does a reason whose grant is used, or is there no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rehearsal.engine.iam.grants import RoleGrant


@dataclass(frozen=True)
class Reason:
    """Roles by the stack and logical id in their name, actions by name; both may have wildcards."""

    role: str
    actions: tuple[str, ...]
    why: str

    def covers(self, action: str, found: RoleGrant) -> bool:
        return fnmatchcase(found.role, f"*-{self.role}*") and found.grant.action == action


REASONS = (
    Reason("*Role", ("xray:PutTelemetryRecords",), "CDK grants it with tracing; there is no X-Ray here"),
    Reason("sign-model", ("xray:PutTelemetryRecords",), "CDK grants it with tracing; there is no X-Ray here"),
    Reason("sign-model", ("kms:GenerateDataKey",), "for its encrypted dead letters, of which there are none"),
    *(
        Reason(
            f"delivery-*{step}Role",
            ("kms:Decrypt", "logs:CreateLogStream", "s3:GetObject", "s3:GetObjectVersion"),
            "CodeBuild fetches the source and opens its log under it; here a build is given both",
        )
        for step in ("Verify", "Image", "Deploy", "Train", "Prove")
    ),
    Reason(
        "delivery-*ImageRole",
        ("ecr:GetDownloadUrlForLayer",),
        "docker fetches the layers that it builds upon; here an image is built whole",
    ),
    Reason(
        "delivery-Role",
        ("codebuild:BatchGetBuilds", "s3:GetBucketVersioning", "s3:GetObjectVersion", "s3:ListBucket"),
        "CodePipeline asks how a build is, and reads the very version of a zip; here it knows both",
    ),
    Reason(
        "retraining-ReleaseModelRole",
        ("sns:Publish",),
        "it tells people that what serves is rejected and nothing can take its place; here nobody rejects it",
    ),
    Reason(
        "retraining-RetrainRole",
        ("sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"),
        "CDK's event source grants them",
    ),
    Reason(
        "retraining-RetrainRole", ("sns:Publish",), "it tells people what it did not start, and it starts all"
    ),
    *(
        Reason(
            role,
            ("codepipeline:GetPipelineExecution",),
            "it asks only about a push that was ended while it waited",
        )
        for role in ("retraining-ReconcileRole", "retraining-RecordReleaseRole")
    ),
    Reason(
        "retraining-RecordReleaseRole",
        ("cloudformation:ContinueUpdateRollback", "iam:PassRole"),
        "for a rollback that is stuck: tests/rehearsal/test_releases.py plays one",
    ),
    Reason("retraining-RecordReleaseRole", ("lambda:InvokeFunction",), "for a package that waits; none does"),
    Reason(
        "delivery-*DeployRole",
        ("cloudformation:DescribeStacks",),
        "it looks whether a release goes on, when CloudFormation has refused its deploy",
    ),
    Reason(
        "retraining-ReleaseModelRole",
        ("iam:PassRole",),
        "AWS's guide wants the stack's own role passed again, its API reference, which is followed here, does not",
    ),
    Reason(
        "serving-deploy",
        ("cloudwatch:ListTagsForResource", "cloudwatch:TagResource"),
        "CloudFormation tags the alarms; the local account does not",
    ),
    Reason(
        "storage-ModelRole",
        ("cloudwatch:DescribeAlarms",),
        "AWS does not say which role looks at the rollback alarms; here it is the caller's",
    ),
    Reason(
        "storage-ModelRole",
        ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        "one instance compares no versions, and a server without an error has nothing else to write",
    ),
    *(
        Reason(
            role,
            ("kms:GenerateDataKey",),
            "for its encrypted dead letters and messages, of which there are none",
        )
        for role in (
            "retraining-RetrainRole",
            "retraining-ReleaseModelRole",
            "training-ChooseInstanceRole",
        )
    ),
    Reason(
        "retraining-ReleaseModelRole",
        ("ssm:GetParameters",),
        "it looks only when a record was written before",
    ),
    Reason(
        "serving-deploy",
        ("sagemaker:DeleteEndpoint",),
        "only a destroy, or a first release that fails, deletes it",
    ),
    Reason(
        "serving-deploy",
        ("sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel", "sagemaker:ListTags"),
        "CloudFormation reads back what it made; the local account reads the endpoint alone",
    ),
    Reason(
        "serving-deploy",
        (
            "application-autoscaling:DeleteScalingPolicy",
            "application-autoscaling:DeregisterScalableTarget",
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
        ),
        "to end scaling when that leaves the configuration: tests/rehearsal/test_releases.py plays a change of types",
    ),
    Reason(
        "*Role",
        ("cloudwatch:PutMetricData",),
        "SageMaker publishes instance metrics; the local account has none",
    ),
    Reason(
        "training-PipelineRole",
        ("sagemaker:AddTags",),
        "SageMaker tags a pipeline's jobs; here nobody does",
    ),
    Reason(
        "training-PipelineRole",
        ("sagemaker:StopProcessingJob", "sagemaker:StopTrainingJob"),
        "only a stopped execution stops its jobs",
    ),
)


def unexplained(report: Sequence[RoleGrant]) -> list[str]:
    """Unused grants for which no reason stands."""
    idle = [found for found in report if not found.is_used]
    return sorted({f"{found.role} {found.grant.action}" for found in idle if not _reasons_for(found)})


def stale(report: Sequence[RoleGrant]) -> list[str]:
    """Reasons that no unused grant needs."""
    idle = [found for found in report if not found.is_used]
    return [
        f"{reason.role} {action}"
        for reason in REASONS
        for action in reason.actions
        if not any(reason.covers(action, found) for found in idle)
    ]


def _reasons_for(found: RoleGrant) -> list[Reason]:
    return [reason for reason in REASONS if any(reason.covers(action, found) for action in reason.actions)]
