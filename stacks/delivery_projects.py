"""The CodeBuild projects of a delivery: one a step and environment, each with a role that can do that step alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs

from domain.names import Names
from stacks.functions import RETENTION
from stacks.permissions import allow, arn

if TYPE_CHECKING:
    from stacks.delivery import DeliveryStack

IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
PYTHON = "3.13"
VARIABLES = "build/variables.env"
"""A step that exports variables writes them to this file, so that no logic stands in a buildspec."""
QUEUED_MINUTES = 60
TIDELINE = "sh ./tideline"
"""By its shell: the zip of a connection may come without the right to execute it."""


@dataclass(frozen=True)
class Step:
    """What one project runs: commands that a person can run too."""

    name: str
    commands: tuple[str, ...]
    timeout_minutes: int
    variables: dict[str, str] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    builds_images: bool = False

    def buildspec(self) -> str:
        commands = [*self.commands, *([f". ./{VARIABLES}"] if self.exports else [])]
        spec: dict[str, Any] = {
            "version": "0.2",
            "phases": {"install": {"runtime-versions": {"python": PYTHON}}, "build": {"commands": commands}},
        }
        if self.exports:
            spec["env"] = {"exported-variables": list(self.exports)}
        return json.dumps(spec, indent=1)


VERIFY = Step("verify", ("make check-model", "make test"), timeout_minutes=45)


def image_step(names: Names, source: Names | None) -> Step:
    """Built once, in the first environment; the others take that very digest over."""
    take_over = f" --from {source.environment}" if source else ""
    command = f"{TIDELINE} --env {names.environment} image --variables {VARIABLES}{take_over}"
    commands = ("make setup", command)
    return Step(f"{names.environment}-image", commands, 30, exports=("IMAGE",), builds_images=True)


def deploy_step(names: Names) -> Step:
    """TARGET is storage, before there is a repository for the image, and then deploy."""
    command = f'make "$TARGET" ENV={names.environment} IMAGE="$IMAGE" APPROVAL=never'
    return Step(f"{names.environment}-deploy", (command,), 90, variables={"TARGET": "deploy"})


def train_step(names: Names) -> Step:
    asked = '--cause push --incident "$IMAGE" --delivery "$DELIVERY"'
    command = f"{TIDELINE} --env {names.environment} train {asked} --variables {VARIABLES}"
    exports = ("TRAINING", "RUN_ID", "SERVES")
    return Step(f"{names.environment}-train", ("make setup", command), 15, exports=exports)


def prove_step(names: Names) -> Step:
    return Step(
        f"{names.environment}-prove", ("make setup", f"{TIDELINE} --env {names.environment} smoke"), 15
    )


class Projects:
    """Makes the projects; each may write its own log and read the artefacts, and what its step adds."""

    def __init__(self, stack: DeliveryStack) -> None:
        self.stack = stack
        self.names: list[str] = []

    def verify(self) -> str:
        return self._project(VERIFY, self._role(VERIFY))

    def image(self, names: Names, source: Names | None) -> str:
        step = image_step(names, source)
        role = self._role(step)
        allow(role, ["ecr:GetAuthorizationToken"], ["*"])
        push = [
            "BatchCheckLayerAvailability",
            "BatchGetImage",
            "CompleteLayerUpload",
            "DescribeImageScanFindings",
        ]
        push += [
            "DescribeRepositories",
            "GetDownloadUrlForLayer",
            "InitiateLayerUpload",
            "PutImage",
            "UploadLayerPart",
        ]
        own = arn(self.stack, "ecr", f"repository/{names.image_repository}")
        allow(role, [f"ecr:{action}" for action in push], [own])
        if source:
            pull = [
                "BatchCheckLayerAvailability",
                "BatchGetImage",
                "DescribeRepositories",
                "GetDownloadUrlForLayer",
            ]
            theirs = arn(self.stack, "ecr", f"repository/{source.image_repository}")
            allow(role, [f"ecr:{action}" for action in pull], [theirs])
        return self._project(step, role)

    def deploy(self, names: Names) -> str:
        """`cdk deploy` acts under the bootstrap's roles; what those may do, the bootstrap says."""
        step = deploy_step(names)
        role = self._role(step)
        qualifier = self.stack.synthesizer.bootstrap_qualifier
        where = f"{self.stack.account}-{self.stack.region}"
        roles = [
            f"arn:{self.stack.partition}:iam::{self.stack.account}:role/cdk-{qualifier}-{name}-role-{where}"
            for name in ("deploy", "file-publishing", "lookup")
        ]
        allow(role, ["sts:AssumeRole"], roles)
        self._allow_looking_at_serving(role, names)
        return self._project(step, role)

    def train(self, names: Names) -> str:
        step = train_step(names)
        role = self._role(step)
        start = arn(self.stack, "lambda", f"function:{names.function('start_training')}")
        allow(role, ["lambda:InvokeFunction"], [start])
        self._allow_looking_at_serving(role, names)
        return self._project(step, role)

    def prove(self, names: Names) -> str:
        step = prove_step(names)
        role = self._role(step)
        allow(
            role, ["sagemaker:InvokeEndpoint"], [arn(self.stack, "sagemaker", f"endpoint/{names.endpoint}")]
        )
        self._allow_looking_at_serving(role, names)
        return self._project(step, role)

    def _allow_looking_at_serving(self, role: iam.Role, names: Names) -> None:
        serving = arn(self.stack, "cloudformation", f"stack/{names.stack('serving')}/*")
        allow(role, ["cloudformation:DescribeStacks"], [serving])

    def _role(self, step: Step) -> iam.Role:
        stack = self.stack
        role = iam.Role(
            stack,
            f"{_camel(step.name)}Role",
            assumed_by=iam.ServicePrincipal(
                "codebuild.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
            ),
        )
        allow(role, ["s3:GetObject", "s3:GetObjectVersion"], [stack.artefacts.arn_for_objects("*")])
        allow(role, ["kms:Decrypt"], [stack.key.key_arn])
        return role

    def _project(self, step: Step, role: iam.Role) -> str:
        """Returns a reference to the project by its name."""
        name = f"{self.stack.pipeline_name}-{step.name}"
        self.names.append(name)
        group = logs.LogGroup(
            self.stack,
            f"{_camel(step.name)}Logs",
            log_group_name=f"/aws/codebuild/{name}",
            encryption_key=self.stack.key,
            retention=RETENTION[self.stack.delivery.log_retention_days],
            removal_policy=RemovalPolicy.DESTROY,
        )
        group.grant_write(role)
        project = codebuild.CfnProject(
            self.stack,
            f"{_camel(step.name)}Project",
            name=name,
            service_role=role.role_arn,
            artifacts={"type": "CODEPIPELINE"},
            source={"type": "CODEPIPELINE", "buildSpec": step.buildspec()},
            environment={
                "type": "LINUX_CONTAINER",
                "computeType": "BUILD_GENERAL1_MEDIUM",
                "image": IMAGE,
                "privilegedMode": step.builds_images,  # docker runs inside a build in no other way
                "environmentVariables": [
                    {"name": key, "value": value, "type": "PLAINTEXT"}
                    for key, value in step.variables.items()
                ],
            },
            encryption_key=self.stack.key.key_arn,
            logs_config={"cloudWatchLogs": {"status": "ENABLED", "groupName": group.log_group_name}},
            timeout_in_minutes=step.timeout_minutes,
            queued_timeout_in_minutes=QUEUED_MINUTES,
        )
        return project.ref


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("-"))
