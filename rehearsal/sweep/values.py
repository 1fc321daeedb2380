"""Mutants of values: well formed and wrong, so CloudFormation takes them, and a short life may not need them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
Found = Iterator[tuple[Any, ...]]  # kind, path, operation, value, said
TIMES = 10
"""By how much a number is wrong."""
OTHER = {
    "Minimum": "Maximum", "Maximum": "Minimum", "Sum": "Average", "Average": "Sum", "p90": "p10",
    "notBreaching": "breaching", "breaching": "notBreaching", "ignore": "notBreaching",
    "GreaterThanThreshold": "LessThanThreshold", "GreaterThanOrEqualToThreshold": "LessThanThreshold",
    "LessThanThreshold": "GreaterThanThreshold",
}  # fmt: skip
"""Another word that is allowed in the same place."""
RULE_OF_ALARMS = (
    "Threshold", "EvaluationPeriods", "Statistic", "ExtendedStatistic", "TreatMissingData", "ComparisonOperator",
)  # fmt: skip
PROTECTION: dict[str, tuple[str, ...]] = {
    "AWS::S3::Bucket": (
        "BucketEncryption", "LifecycleConfiguration", "LoggingConfiguration", "PublicAccessBlockConfiguration",
        "VersioningConfiguration",
    ),
    "AWS::DynamoDB::Table": ("DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification"),
    "AWS::ECR::Repository": ("EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability"),
    "AWS::KMS::Key": ("EnableKeyRotation",),
    "AWS::Logs::LogGroup": ("KmsKeyId", "RetentionInDays"),
    "AWS::SQS::Queue": ("KmsMasterKeyId", "MessageRetentionPeriod", "RedrivePolicy", "VisibilityTimeout"),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::Lambda::Function": ("DeadLetterConfig", "KmsKeyArn", "MemorySize", "Timeout", "TracingConfig"),
    "AWS::Lambda::EventSourceMapping": ("BatchSize", "FunctionResponseTypes"),
    "AWS::CodeBuild::Project": ("EncryptionKey", "TimeoutInMinutes"),
    "AWS::SageMaker::Model": ("EnableNetworkIsolation",),
    "AWS::SageMaker::EndpointConfig": ("DataCaptureConfig", "KmsKeyId"),
    "AWS::SageMaker::Endpoint": ("DeploymentConfig",),
}  # fmt: skip
"""What a resource works without."""


def mutants(here: Path, resource: Mapping[str, Any]) -> Found:
    """Those of one resource: `here` is its path in the template."""
    properties, kind = resource.get("Properties", {}), resource["Type"]
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.get(policy) == "Retain":
            yield "protection", (*here, policy)
    for name in PROTECTION.get(kind, ()):
        if name in properties:
            yield "protection", (*here, "Properties", name)
    special = BY_TYPE.get(kind)
    if special:
        yield from special((*here, "Properties"), properties)


def _alarm(here: Path, properties: Mapping[str, Any]) -> Found:
    for name in RULE_OF_ALARMS:
        value = properties.get(name)
        if isinstance(value, int | float):
            yield "alarm rule", (*here, name), "set", json.dumps(value * TIMES), str(value)
        elif value in OTHER:
            yield "alarm rule", (*here, name), "set", json.dumps(OTHER[value]), value


def _rule(here: Path, properties: Mapping[str, Any]) -> Found:
    schedule = str(properties.get("ScheduleExpression", ""))
    if schedule.startswith("cron("):
        minute, hour, rest = schedule.removeprefix("cron(").split(" ", 2)
        wrong = f"cron({minute} {(int(hour) + 5) % 24} {rest}"
        yield "schedule", (*here, "ScheduleExpression"), "set", json.dumps(wrong), schedule
    yield from _states((*here, "EventPattern"), properties.get("EventPattern", {}))


def _states(here: Path, pattern: Mapping[str, Any]) -> Found:
    """One of several values that a pattern takes, gone."""
    for name, node in pattern.items():
        if isinstance(node, dict):
            yield from _states((*here, name), node)
        elif len(node) > 1:
            for number, value in enumerate(node):
                yield "state", (*here, name, number), "drop", "", str(value)


def _function(here: Path, properties: Mapping[str, Any]) -> Found:
    for name, value in properties.get("Environment", {}).get("Variables", {}).items():
        wrong = _another(value)
        if wrong is not None:
            yield "setting", (*here, "Environment", "Variables", name), "set", json.dumps(wrong), str(value)


def _another(value: Any) -> str | None:
    """Well formed, and not this one: a number too large, a name with a letter more. None for an expression."""
    if not isinstance(value, str):
        return None
    try:
        return f"{float(value) * TIMES:g}"
    except ValueError:
        return f"{value[:-1]}b/" if value.endswith("/") else f"{value}b"


def _policy(here: Path, properties: Mapping[str, Any]) -> Found:
    for number, statement in enumerate(properties["PolicyDocument"]["Statement"]):
        if statement.get("Resource") != "*":
            place = (*here, "PolicyDocument", "Statement", number, "Resource")
            actions = statement["Action"]
            said = actions if isinstance(actions, str) else actions[0]
            yield "wildcard", place, "set", json.dumps("*"), said


BY_TYPE: dict[str, Callable[[Path, Mapping[str, Any]], Found]] = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::Policy": _policy,
    "AWS::Lambda::Function": _function,
}
