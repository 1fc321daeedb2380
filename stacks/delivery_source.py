"""Where a push comes from: an S3 zip, a repository behind a connection, or CodeCommit; and what starts the pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from aws_cdk import CfnOutput
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from config.delivery import CodeCommit, Connection, S3Zip
from stacks.acknowledgements import acknowledge
from stacks.functions import DELIVERY_ATTEMPTS, encrypted_queue
from stacks.key import rules_statement
from stacks.permissions import allow, arn

if TYPE_CHECKING:
    from stacks.delivery import DeliveryStack

NAMESPACE = "SourceVariables"
ARTEFACT = "Source"
Triggers = list[dict[str, Any]]


class Source(ABC):
    """The source action of a pipeline."""

    provider: ClassVar[str]

    def __init__(self, stack: DeliveryStack) -> None:
        self.stack = stack

    @property
    @abstractmethod
    def shown(self) -> str:
        """For people."""

    @abstractmethod
    def configuration(self) -> dict[str, str]: ...

    @abstractmethod
    def allow_reading(self, role: iam.Role) -> None: ...

    def triggers(self) -> Triggers:
        """The pushes that count, where the source can filter them."""
        return []

    def pull_requests(self) -> Triggers:
        """The pull requests that are checked, where the source has any."""
        return []

    @abstractmethod
    def start_on_change(self, pipeline: codepipeline.CfnPipeline) -> None:
        """Start the pipeline at a push, unless the source does that by itself."""

    def action(self) -> dict[str, Any]:
        return {
            "name": "Source",
            "actionTypeId": {
                "category": "Source",
                "owner": "AWS",
                "provider": self.provider,
                "version": "1",
            },
            "configuration": self.configuration(),
            "namespace": NAMESPACE,
            "outputArtifacts": [{"name": ARTEFACT}],
            "runOrder": 1,
        }

    def _start_by_rule(self, pipeline: codepipeline.CfnPipeline, pattern: events.EventPattern) -> None:
        stack = self.stack
        made = codepipeline.Pipeline.from_pipeline_arn(
            stack, "ByArn", arn(stack, "codepipeline", pipeline.ref)
        )
        letters = encrypted_queue(stack, "DeadLetters", stack.key)
        acknowledge(
            letters, "AwsSolutions-SQS3", "It holds the dead letters of the rule that starts the pipeline."
        )
        target = targets.CodePipeline(made, dead_letter_queue=letters, retry_attempts=DELIVERY_ATTEMPTS)
        description = f"A push to {stack.delivery.name} starts its delivery"
        rule = events.Rule(stack, "OnPush", description=description, event_pattern=pattern, targets=[target])
        # The library lets a rule into the dead letters of other targets, not into those of a pipeline.
        letters.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[letters.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )
        stack.key.add_to_resource_policy(rules_statement(stack))


class ZipSource(Source):
    """A zip of the commit in a bucket: the stack's own, or a brought one."""

    provider = "S3"

    def __init__(self, stack: DeliveryStack, zip_: S3Zip) -> None:
        super().__init__(stack)
        self.key = zip_.key
        brought = zip_.bucket
        self.bucket = (
            s3.Bucket.from_bucket_name(stack, "SourceBucket", brought) if brought else self._bucket()
        )

    def _bucket(self) -> s3.Bucket:
        bucket = self.stack.bucket("SourceBucket")
        made = bucket.node.default_child
        assert isinstance(made, s3.CfnBucket)
        # By the property itself: the library's own switch brings a function and a wide role along.
        made.add_property_override(
            "NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True
        )
        CfnOutput(
            self.stack, "SourceBucketName", value=bucket.bucket_name, description="Where a push puts the zip"
        )
        return bucket

    @property
    def shown(self) -> str:
        return f"s3://{self.bucket.bucket_name}/{self.key}"

    def configuration(self) -> dict[str, str]:
        return {
            "S3Bucket": self.bucket.bucket_name,
            "S3ObjectKey": self.key,
            "PollForSourceChanges": "false",
        }

    def allow_reading(self, role: iam.Role) -> None:
        allow(role, ["s3:GetObject", "s3:GetObjectVersion"], [self.bucket.arn_for_objects(self.key)])
        allow(role, ["s3:ListBucket", "s3:GetBucketVersioning"], [self.bucket.bucket_arn])

    def start_on_change(self, pipeline: codepipeline.CfnPipeline) -> None:
        detail = {"bucket": {"name": [self.bucket.bucket_name]}, "object": {"key": [self.key]}}
        pattern = events.EventPattern(source=["aws.s3"], detail_type=["Object Created"], detail=detail)
        self._start_by_rule(pipeline, pattern)


class CodeCommitSource(Source):
    provider = "CodeCommit"

    def __init__(self, stack: DeliveryStack, repository: CodeCommit) -> None:
        super().__init__(stack)
        self.repository, self.branch = repository.repository, repository.branch
        self.arn = arn(stack, "codecommit", repository.repository)

    @property
    def shown(self) -> str:
        return f"CodeCommit {self.repository}, branch {self.branch}"

    def configuration(self) -> dict[str, str]:
        return {
            "RepositoryName": self.repository,
            "BranchName": self.branch,
            "PollForSourceChanges": "false",
        }

    def allow_reading(self, role: iam.Role) -> None:
        reads = ("GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus", "CancelUploadArchive")
        allow(role, [f"codecommit:{name}" for name in reads], [self.arn])

    def start_on_change(self, pipeline: codepipeline.CfnPipeline) -> None:
        pattern = events.EventPattern(
            source=["aws.codecommit"],
            detail_type=["CodeCommit Repository State Change"],
            resources=[self.arn],
            detail={
                "event": ["referenceCreated", "referenceUpdated"],
                "referenceType": ["branch"],
                "referenceName": [self.branch],
            },
        )
        self._start_by_rule(pipeline, pattern)


class ConnectionSource(Source):
    """A connection starts the pipeline by itself."""

    provider = "CodeStarSourceConnection"

    def __init__(self, stack: DeliveryStack, connection: Connection) -> None:
        super().__init__(stack)
        self.connection = connection

    @property
    def shown(self) -> str:
        return f"{self.connection.repository}, branch {self.connection.branch}"

    def configuration(self) -> dict[str, str]:
        return {
            "ConnectionArn": self.connection.connection_arn,
            "FullRepositoryId": self.connection.repository,
            "BranchName": self.connection.branch,
        }

    def allow_reading(self, role: iam.Role) -> None:
        # A connection's service has two names; the ARN tells which one this connection goes by.
        service = self.connection.connection_arn.split(":")[2]
        allow(role, [f"{service}:UseConnection"], [self.connection.connection_arn])

    def start_on_change(self, pipeline: codepipeline.CfnPipeline) -> None: ...

    def triggers(self) -> Triggers:
        paths = _filter(self.connection.paths, self.connection.ignored_paths)
        if not paths:
            return []
        push = {"branches": {"includes": [self.connection.branch]}, "filePaths": paths}
        return [_trigger({"push": [push]})]

    def pull_requests(self) -> Triggers:
        wanted = self.connection.pull_requests
        if wanted is None:
            return []
        request: dict[str, Any] = {
            "events": ["OPEN", "UPDATED"],
            "branches": {"includes": wanted.branches},
        }
        if wanted.paths:
            request["filePaths"] = _filter(wanted.paths, [])
        return [_trigger({"pullRequest": [request]})]


def source_of(stack: DeliveryStack) -> Source:
    given = stack.delivery.source
    if given.connection:
        return ConnectionSource(stack, given.connection)
    if given.codecommit:
        return CodeCommitSource(stack, given.codecommit)
    return ZipSource(stack, given.s3 or S3Zip())


def _trigger(filters: dict[str, Any]) -> dict[str, Any]:
    return {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "Source", **filters},
    }


def _filter(includes: list[str], excludes: list[str]) -> dict[str, list[str]]:
    return {name: globs for name, globs in (("includes", includes), ("excludes", excludes)) if globs}
