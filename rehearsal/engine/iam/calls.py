"""An API call as IAM sees it: the actions that it needs, the ARNs that each is checked against, the condition keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.iam import reference
from rehearsal.engine.iam.policies import Access
from rehearsal.engine.iam.resources import Where, addressed

Parameters = Mapping[str, Any]
PREFIXES = {"sagemaker-runtime": "sagemaker", "stepfunctions": "states"}
"""Where IAM's name of a service is not boto3's."""
FREE = {"sts:GetCallerIdentity"}
"""What everybody may call."""
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "dynamodb:TransactGetItems": "dynamodb:GetItem",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
}
"""The action of an operation that does not bear its name."""
ITEM_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
CONTEXT_PARAMETERS = {
    "cloudwatch:PutMetricData": {"cloudwatch:namespace": "Namespace"},
    "s3:ListBucket": {"s3:prefix": "Prefix"},
    **{
        f"application-autoscaling:{operation}": {
            "application-autoscaling:service-namespace": "ServiceNamespace",
            "application-autoscaling:scalable-dimension": "ScalableDimension",
        }
        for operation in (
            "RegisterScalableTarget",
            "DeregisterScalableTarget",
            "PutScalingPolicy",
            "DeleteScalingPolicy",
        )
    },
    "s3:PutObject": {
        "s3:x-amz-server-side-encryption": "ServerSideEncryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    },
    **{
        f"cloudformation:{verb}Stack": {
            "cloudformation:TemplateUrl": "TemplateURL",
            "cloudformation:RoleArn": "RoleARN",
        }
        for verb in ("Create", "Update", "Delete")
    },
}
"""Condition keys that are a parameter of the call."""
ALARMS_OF_A_POLICY = {
    "application-autoscaling:PutScalingPolicy": ("PutMetricAlarm", "DescribeAlarms"),
    "application-autoscaling:DeleteScalingPolicy": ("DeleteAlarms", "DescribeAlarms"),
}
"""What target tracking does with alarms of its own, as far as the caller must be allowed it."""
PASSES_NO_ROLE = ("iam", "sts")
"""Services whose role parameters only name a role."""


@dataclass(frozen=True)
class Call:
    """An API call: boto3's names of service and operation."""

    service: str
    operation: str
    parameters: Parameters

    @property
    def action(self) -> str:
        name = f"{PREFIXES.get(self.service, self.service)}:{self.operation}"
        return ACTIONS.get(name, name)


def accesses(call: Call, where: Where) -> list[Access]:
    """All that must be allowed for the call to go on, the roles that it hands over included."""
    if call.action in FREE:
        return []
    return [
        *_own(call, where),
        *_tagging(call, where),
        *_passed_roles(call),
        *_watched_alarms(call, where),
        *_scaled_endpoint(call, where),
    ]


def _own(call: Call, where: Where) -> Iterator[Access]:
    parts = list(_parts(call))
    for action, parameters in parts:
        if reference.find(action) is None:
            raise Unsupported(
                f"{call.service} {call.operation}: AWS knows no action {action}, so nobody can tell whether it is "
                "allowed. Name its action in rehearsal/engine/iam/calls.py."
            )
        context = tuple(sorted(_context(action, parameters).items()))
        for resource in addressed(action, parameters, where):
            yield Access(action, resource, context)


def _parts(call: Call) -> Iterator[tuple[str, Parameters]]:
    """The actions of a call with the parameters that each is about; a transaction has one an item."""
    parameters = call.parameters
    match f"{call.service}:{call.operation}":
        case "dynamodb:TransactWriteItems":
            for item in parameters["TransactItems"]:
                yield from ((f"dynamodb:{ITEM_ACTIONS[verb]}", one) for verb, one in item.items())
        case "dynamodb:TransactGetItems":
            yield from ((call.action, item["Get"]) for item in parameters["TransactItems"])
        case "dynamodb:BatchGetItem" | "dynamodb:BatchWriteItem":
            yield from ((call.action, {"TableName": table}) for table in parameters["RequestItems"])
        case "events:PutEvents":
            buses = {entry.get("EventBusName") or "default" for entry in parameters["Entries"]}
            yield from ((call.action, {"EventBusName": bus}) for bus in sorted(buses))
        case "s3:DeleteObjects":
            keys = [item["Key"] for item in parameters["Delete"]["Objects"]]
            yield from ((call.action, {"Bucket": parameters["Bucket"], "Key": key}) for key in keys)
        case "s3:CopyObject" | "s3:UploadPartCopy":
            source = str(parameters["CopySource"]).lstrip("/").partition("?")[0]
            bucket, _, key = source.partition("/")
            yield "s3:GetObject", {"Bucket": bucket, "Key": key}
            yield call.action, parameters
        case _:
            yield call.action, parameters


def _context(action: str, parameters: Parameters) -> dict[str, tuple[str, ...]]:
    context: dict[str, tuple[str, ...]] = {
        key.lower(): (str(parameters[name]),)
        for key, name in CONTEXT_PARAMETERS.get(action, {}).items()
        if parameters.get(name)
    }
    if action.startswith("s3:"):
        context["s3:tlsversion"] = ("1.3",)
    tags = _tags(parameters)
    if tags:
        context["aws:tagkeys"] = tuple(tags)
    return context | {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}


def _tags(parameters: Parameters) -> dict[str, str]:
    given = parameters.get("Tags") or parameters.get("tags") or {}
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    pairs = [{name.lower(): value for name, value in tag.items()} for tag in given]
    return {str(tag["key"]): str(tag.get("value", "")) for tag in pairs if "key" in tag}


def _tagging(call: Call, where: Where) -> Iterator[Access]:
    """Some services want their tagging action too when a new resource is given tags."""
    action = reference.find(call.action)
    if action is None or not _tags(call.parameters):
        return
    for dependent in sorted(action.dependents):
        if dependent.endswith((":AddTags", ":TagResource")):
            for resource in addressed(call.action, call.parameters, where)[:1]:
                yield Access(dependent, resource, tuple(sorted(_context(dependent, call.parameters).items())))


def _passed_roles(call: Call) -> Iterator[Access]:
    prefix = call.action.partition(":")[0]
    if prefix not in PASSES_NO_ROLE:
        passed = (("iam:passedtoservice", (f"{prefix}.amazonaws.com",)),)
        yield from (Access("iam:PassRole", role, passed) for role in sorted(set(_roles(call.parameters))))


def _watched_alarms(call: Call, where: Where) -> Iterator[Access]:
    """Who deploys an endpoint under alarms must be allowed to look at them."""
    rollback = (call.parameters.get("DeploymentConfig") or {}).get("AutoRollbackConfiguration") or {}
    for alarm in rollback.get("Alarms", []):
        yield from (
            Access("cloudwatch:DescribeAlarms", resource)
            for resource in addressed(
                "cloudwatch:DescribeAlarms", {"AlarmNames": [alarm["AlarmName"]]}, where
            )
        )


def _scaled_endpoint(call: Call, where: Where) -> Iterator[Access]:
    """Who lets an endpoint scale must be allowed to do himself what the service then does by a role of its own."""
    base = f"{where.region}:{where.account}"
    resource = str(call.parameters.get("ResourceId", ""))
    endpoint = f"arn:aws:sagemaker:{base}:endpoint/{resource.split('/')[1]}" if "/" in resource else "*"
    if call.action == "application-autoscaling:RegisterScalableTarget":
        service = f"{call.parameters['ServiceNamespace']}.application-autoscaling.amazonaws.com"
        role = f"{service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        named = (("iam:awsservicename", (service,)),)
        yield Access(
            "iam:CreateServiceLinkedRole", f"arn:aws:iam::{where.account}:role/aws-service-role/{role}", named
        )
        yield Access("sagemaker:DescribeEndpoint", endpoint)
        yield Access("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint)
    alarm = f"arn:aws:cloudwatch:{base}:alarm:TargetTracking-{resource}-AlarmHigh"
    for verb in ALARMS_OF_A_POLICY.get(call.action, ()):
        yield Access(f"cloudwatch:{verb}", alarm)


def _roles(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _roles(item, key)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _roles(item, name)
    elif isinstance(value, str) and name.lower().endswith(("role", "rolearn")) and ":role/" in value:
        yield value
