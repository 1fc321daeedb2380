"""Changes the tags of a resource that is there already: every service has its own two operations for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from rehearsal.engine.cloudformation.resources import Properties, ResourceType


class TagOperations(NamedTuple):
    """How a service tags: the operations, and the members that say what, which tags, and which keys go."""

    tag: str
    untag: str
    resource: str
    tags: str
    keys: str


OPERATIONS = {
    "cloudwatch": TagOperations("TagResource", "UntagResource", "ResourceARN", "Tags", "TagKeys"),
    "dynamodb": TagOperations("TagResource", "UntagResource", "ResourceArn", "Tags", "TagKeys"),
    "ecr": TagOperations("TagResource", "UntagResource", "resourceArn", "tags", "tagKeys"),
    "events": TagOperations("TagResource", "UntagResource", "ResourceARN", "Tags", "TagKeys"),
    "iam": TagOperations("TagRole", "UntagRole", "RoleName", "Tags", "TagKeys"),
    "kms": TagOperations("TagResource", "UntagResource", "KeyId", "Tags", "TagKeys"),
    "lambda": TagOperations("TagResource", "UntagResource", "Resource", "Tags", "TagKeys"),
    "logs": TagOperations("TagResource", "UntagResource", "resourceArn", "tags", "tagKeys"),
    "sns": TagOperations("TagResource", "UntagResource", "ResourceArn", "Tags", "TagKeys"),
    "sqs": TagOperations("TagQueue", "UntagQueue", "QueueUrl", "Tags", "TagKeys"),
}
TAGGED_BY_ID = {"iam", "kms", "sqs"}  # the others want an ARN


def retag(resource: ResourceType, old: Properties) -> None:
    """Give the resource the tags of its properties, if they changed."""
    before, after = _as_map(old.get("Tags", [])), _as_map(resource.properties.get("Tags", []))
    if before == after:
        return
    if resource.service not in OPERATIONS:
        raise resource.unsupported("update of Tags in place")
    how = OPERATIONS[resource.service]
    target = {
        how.resource: resource.id
        if resource.service in TAGGED_BY_ID
        else resource.attributes()["Arn"].removesuffix(":*")
    }
    gone = sorted(before.keys() - after.keys())
    if gone:
        resource.send(how.untag, **target, **{how.keys: gone})
    if after:
        tags = [{"Key": key, "Value": value} for key, value in after.items()]
        resource.send(how.tag, **target, **{how.tags: tags})


def _as_map(tags: Any) -> dict[str, str]:
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
