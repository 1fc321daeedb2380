"""The conformance rules of a synth: cdk-nag's AwsSolutions and Serverless, the lint of the rollback alarms,

beside the library's own validator.

Wildcards in policies are explained here, in one table; one that matches no line fails the synth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import cdk_nag
import jsii
from aws_cdk import aws_iam as iam

from domain.names import Prefix
from stacks.acknowledgements import acknowledge
from stacks.rollback_lint import findings
from stacks.template_values import Templates

ACCOUNT = "<AWS::AccountId>"
RESOURCELESS_ACTIONS = frozenset(
    {
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "cloudwatch:GetMetricStatistics",
        "cloudwatch:PutMetricData",
        "ecr:GetAuthorizationToken",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListModels",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)
"""Actions for which IAM knows no resource; what is published is bound by its namespace instead."""


class Explanation(NamedTuple):
    """What a policy's resource with a wildcard looks like as a whole, and why it needs the wildcard."""

    resource: re.Pattern[str]
    reason: str


def _explain(pattern: str, reason: str) -> Explanation:
    return Explanation(re.compile(pattern), reason)


_PREFIXES = "|".join(
    (
        Prefix.RUNS,
        Prefix.SNAPSHOTS,
        Prefix.HISTORY,
        Prefix.LABELS,
        Prefix.MONITOR,
        Prefix.REQUESTS,
        Prefix.PREDICTIONS,
        rf"{Prefix.PREDICTIONS}[a-z0-9-]+-2",
        Prefix.TRANSFORMS,
        rf"{Prefix.CAPTURE}[a-z0-9-]+/",
    )
)
_BUCKET = r"(<\w+\.Arn>|[a-z0-9-]+:Exports\w+|arn:aws:s3:::[a-z0-9.-]+)"
_SAGEMAKER = rf"arn:aws:sagemaker:[a-z0-9-]+:{ACCOUNT}:"
EXPLANATIONS = (
    _explain(
        rf"{_BUCKET}/({_PREFIXES})\*", "Objects are named as they are written; the prefix is the bound."
    ),
    _explain(
        rf"{_SAGEMAKER}(training|processing)-job/pipelines-\*",
        "SageMaker names the jobs of a pipeline itself: pipelines-<execution>-<step>-<suffix>.",
    ),
    _explain(
        rf"{_SAGEMAKER}transform-job/[a-z0-9-]+-2\*",
        "A transform's name ends in the time of its start.",
    ),
    _explain(
        rf"{_SAGEMAKER}pipeline/[a-z0-9-]+/execution/\*",
        "SageMaker numbers the executions of this one pipeline.",
    ),
    _explain(
        rf"{_SAGEMAKER}model-package/[a-z0-9-]+/\*", "SageMaker numbers the versions in this one group."
    ),
    _explain(
        rf"{_SAGEMAKER}model-card/[a-z0-9-]+-\*",
        "A card bears its deployment's name and its package's version.",
    ),
    _explain(
        rf"arn:aws:logs:[a-z0-9-]+:{ACCOUNT}:log-group:/aws/sagemaker/[A-Za-z]+(/[a-z0-9-]+)?:\*",
        "SageMaker names the streams in this one log group by job or instance.",
    ),
    _explain(
        rf"arn:aws:ssm:[a-z0-9-]+:{ACCOUNT}:parameter/[a-z0-9-]+/[a-z0-9]+/releases/\*",
        "Each release record is a key of its own under this prefix.",
    ),
    _explain(
        r"<BuildArtefacts\w+\.Arn>/\*",
        "CodePipeline names the artefacts itself, and nothing else lies in this one bucket.",
    ),
    _explain(
        rf"arn:aws:cloudformation:[a-z0-9-]+:{ACCOUNT}:stack/[a-z0-9-]+-serving/\*",
        "The ARN of this one stack ends in an id that CloudFormation draws.",
    ),
    _explain(
        rf"arn:aws:application-autoscaling:[a-z0-9-]+:{ACCOUNT}:scalable-target/\*",
        "AWS draws the id of a scalable target; namespace and dimension of the request are the bound.",
    ),
    _explain(
        rf"arn:aws:cloudwatch:[a-z0-9-]+:{ACCOUNT}:alarm:TargetTracking-endpoint/[a-z0-9-]+/variant/[a-z]+-\*",
        "Application Auto Scaling names the alarms of this one variant's policy itself.",
    ),
)


def add_rules(app: cdk.App) -> None:
    """A finding that nobody explained fails the synth; the validator's own findings do by a flag of cdk.json."""
    cdk.Validations.of(app).add_plugins(
        ExplainedWildcards(),
        RollbackAlarmsCanFire(),
        cdk_nag.AwsSolutionsChecks(),
        cdk_nag.ServerlessChecks(),
    )


class _Plugin:
    """What every plugin says of itself: its class's name, and no version or rules of its own."""

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def version(self) -> str | None:
        return None

    @property
    def rule_ids(self) -> list[str] | None:
        return None


@jsii.implements(cdk.IPolicyValidationPlugin)
class ExplainedWildcards(_Plugin):
    """Acknowledges what EXPLANATIONS explain, finding by finding; what is left, cdk-nag reports after it.

    It is a plugin because only then do policies name resources of other stacks as cdk-nag will: by their export.
    """

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        for construct in context.app_construct.node.find_all():
            if isinstance(construct, iam.CfnPolicy):
                document = cdk.Stack.of(construct).resolve(construct.policy_document)
                for resource, reason in explained(document):
                    acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", reason)
        return cdk.PolicyValidationPluginReport(success=True, violations=[])


@jsii.implements(cdk.IPolicyValidationPlugin)
class RollbackAlarmsCanFire(_Plugin):
    """Runs rollback_lint over the templates of each environment, as they are sent."""

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        by_environment: dict[Path, dict[str, Any]] = {}
        for path in map(Path, context.template_paths):
            by_environment.setdefault(path.parent, {})[str(path)] = json.loads(path.read_text())
        violations = [
            cdk.PolicyViolation(
                rule_name=f"{logical_id} {said.split()[0]}",
                description=f"{logical_id} {said}",
                violating_resources=[
                    cdk.PolicyViolatingResource(
                        resource_logical_id=logical_id, template_path=str(directory), locations=[]
                    )
                ],
            )
            for directory, templates in by_environment.items()
            for logical_id, said in findings(Templates(templates))
        ]
        return cdk.PolicyValidationPluginReport(success=not violations, violations=violations)


def explained(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each resource with a wildcard in a policy document that has a reason, and the reason."""
    everywhere: set[str] = set()
    for statement in document["Statement"]:
        for resource in map(flatten, _list(statement["Resource"])):
            if resource == "*":
                everywhere.update(_list(statement["Action"]))
            yield from (
                (resource, e.reason)
                for e in EXPLANATIONS
                if "*" in resource and e.resource.fullmatch(resource)
            )
    if everywhere and everywhere <= RESOURCELESS_ACTIONS:
        yield "*", f"IAM knows no resource for {', '.join(sorted(everywhere))}."


def flatten(value: Any) -> str:
    """A resource as cdk-nag writes it: `<LogicalId.Attribute>` for a reference, an export by its name."""
    if isinstance(value, str):
        return value
    (function, argument), *_ = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(map(flatten, argument[1]))
    if function == "Fn::GetAtt":
        return f"<{'.'.join(argument)}>"
    if function == "Ref":
        return f"<{argument}>"
    if function == "Fn::ImportValue":
        return flatten(argument)
    raise ValueError(
        f"got {value!r} as the resource of a policy; allowed: text, Join, GetAtt, Ref, ImportValue"
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
