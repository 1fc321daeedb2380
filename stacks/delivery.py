"""The delivery pipeline: what a bare `cdk deploy` deploys, and what deploys the rest at each push."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack, Tags
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from config.delivery import Delivery
from domain.names import Names, delivery_name
from stacks.acknowledgements import acknowledge
from stacks.buckets import access_logs_bucket, private_bucket
from stacks.delivery_failures import Failures
from stacks.delivery_projects import Projects
from stacks.delivery_source import source_of
from stacks.delivery_stages import Stage, check_stages, environment_stages
from stacks.functions import encrypted_queue
from stacks.key import logs_statement, rules_to_queues_statement
from stacks.permissions import allow, arn

ARTEFACT_DAYS = 30
"""As long as a stage can be rolled back to what an earlier push put here."""
SOURCE = "Source"
SIDE_BY_SIDE = "PARALLEL"
"""Pull requests have nothing to do with each other: none waits for another's check, and none overtakes it.

AWS rolls no stage back in this mode; a check has nothing to roll back.
"""


class DeliveryStack(Stack):
    """The pipeline never changes itself: a push cannot widen its own rights. A person deploys this stack."""

    def __init__(self, scope: Construct, construct_id: str, *, delivery: Delivery, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.delivery, self.pipeline_name = delivery, delivery_name(delivery.name)
        self.key = self._key()
        self.access_logs = access_logs_bucket(self, old_version_days=ARTEFACT_DAYS)
        self.artefacts = self.bucket("BuildArtefacts", expires=Duration.days(ARTEFACT_DAYS))
        self.dead_letters = self._dead_letters()
        self.source = source_of(self)
        self.role = self._role()
        self.projects = Projects(self)
        before = check_stages(self.projects)
        names = [Names(delivery.name, environment) for environment in delivery.environments]
        stages = [
            stage
            for i, one in enumerate(names)
            for stage in environment_stages(self.projects, one, delivery, after=names[i - 1] if i else None)
        ]
        projects = [arn(self, "codebuild", f"project/{name}") for name in self.projects.names]
        allow(self.role, ["codebuild:StartBuild", "codebuild:BatchGetBuilds"], projects)
        mode = delivery.execution.upper()
        pipeline = self._pipeline(
            "Pipeline", self.pipeline_name, [*before, *stages], self.source.triggers(), mode=mode
        )
        self.source.start_on_change(pipeline)
        failures = Failures(self)
        failures.tell_of(pipeline, "OnFailure", "A push")
        if triggers := self.source.pull_requests():
            name = f"{self.pipeline_name}-checks"
            checks = self._pipeline("Checks", name, before, triggers, mode=SIDE_BY_SIDE)
            failures.tell_of(checks, "OnCheckFailure", "A pull request's check")
        self._finish()

    def _finish(self) -> None:
        for key, value in (("project", self.delivery.name), ("managed-by", "tideline")):
            Tags.of(self).add(key, value)
        if self.delivery.permissions_boundary_arn:
            boundary = self.delivery.permissions_boundary_arn
            policy = iam.ManagedPolicy.from_managed_policy_arn(self, "Boundary", boundary)
            iam.PermissionsBoundary.of(self).apply(policy)
        CfnOutput(self, "SourceIs", value=self.source.shown, description="Where a push comes from")

    def _key(self) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            alias=f"alias/{self.pipeline_name}",
            description=f"Sources, artefacts and build logs of {self.pipeline_name}",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        key.add_to_resource_policy(logs_statement(self, f"/aws/codebuild/{self.pipeline_name}-*"))
        key.add_to_resource_policy(rules_to_queues_statement(self))
        return key

    def _dead_letters(self) -> sqs.Queue:
        letters = encrypted_queue(self, "DeadLetters", self.key)
        acknowledge(letters, "AwsSolutions-SQS3", "It holds the dead letters of the pipeline's rules.")
        return letters

    def bucket(self, construct_id: str, *, expires: Duration | None = None) -> s3.Bucket:
        """A private bucket under the delivery's key; the source's and the artefacts' are the two."""
        return private_bucket(
            self,
            construct_id,
            key=self.key,
            access_logs=self.access_logs,
            old_version_days=ARTEFACT_DAYS,
            expires=expires,
        )

    def _role(self) -> iam.Role:
        """What the pipeline itself may do: read the source, keep artefacts, run its projects."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codepipeline.amazonaws.com"))
        allow(
            role,
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            [self.artefacts.arn_for_objects("*")],
        )
        allow(role, ["s3:ListBucket", "s3:GetBucketVersioning"], [self.artefacts.bucket_arn])
        allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], [self.key.key_arn])
        self.source.allow_reading(role)
        return role

    def _pipeline(
        self, construct_id: str, name: str, stages: list[Stage], triggers: list[dict[str, Any]], *, mode: str
    ) -> codepipeline.CfnPipeline:
        first: Stage = {"name": SOURCE, "actions": [self.source.action()]}
        pipeline = codepipeline.CfnPipeline(
            self,
            construct_id,
            name=name,
            pipeline_type="V2",
            execution_mode=mode,
            role_arn=self.role.role_arn,
            artifact_store={
                "type": "S3",
                "location": self.artefacts.bucket_name,
                "encryptionKey": {"type": "KMS", "id": self.key.key_arn},
            },
            stages=[first, *stages],
            triggers=triggers or None,
        )
        pipeline.node.add_dependency(self.role)  # its policy too: a push may come at once
        return pipeline
