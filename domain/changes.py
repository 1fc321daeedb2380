"""What a change of the templates lets in or gives up: permissions that are new, and data that would be replaced."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]
KEEPS_DATA: Mapping[str, frozenset[str]] = {
    "AWS::S3::Bucket": frozenset({"BucketName"}),
    "AWS::DynamoDB::Table": frozenset({"TableName", "KeySchema"}),
    "AWS::KMS::Key": frozenset({"KeySpec", "KeyUsage", "MultiRegion"}),
    "AWS::ECR::Repository": frozenset({"RepositoryName", "EncryptionConfiguration"}),
    "AWS::SageMaker::ModelPackageGroup": frozenset({"ModelPackageGroupName"}),
    "AWS::SageMaker::Endpoint": frozenset({"EndpointName"}),
}
"""What holds data, keys, models or traffic, and the properties whose change replaces it."""
DOCUMENTS = (
    "PolicyDocument",
    "AssumeRolePolicyDocument",
    "KeyPolicy",
    "RepositoryPolicyText",
    "ResourcePolicy",
)
"""The properties that hold a policy."""
LAMBDA_PERMISSION = "AWS::Lambda::Permission"


@dataclass(frozen=True, order=True)
class Grant:
    """One action on one resource, for one principal, under one condition, as a template says it."""

    holder: str
    """The stack, and the logical id of the role or resource whose policy it is."""
    effect: str
    action: str
    resource: str
    principal: str
    condition: str

    def __str__(self) -> str:
        parts = [f"{self.effect} {self.action} on {self.resource}"]
        parts += [f"to {self.principal}"] if self.principal else []
        parts += [f"if {self.condition}"] if self.condition else []
        return " ".join(parts)


@dataclass(frozen=True)
class Changes:
    """Between two sets of templates. Broader: new Allows, and Denies that are gone."""

    broader: tuple[Grant, ...]
    narrower: tuple[Grant, ...]
    lost: tuple[str, ...]
    """Sentences on what would be deleted or replaced."""


def compare(before: Mapping[str, Template], after: Mapping[str, Template]) -> Changes:
    """Templates by stack. A grant whose condition changed counts as new: whether it lets in more, a person must say."""
    then, now = (frozenset(_grants(templates)) for templates in (before, after))
    gained, gone = now - then, then - now
    return Changes(
        tuple(sorted({g for g in gained if g.effect == "Allow"} | {g for g in gone if g.effect == "Deny"})),
        tuple(sorted({g for g in gone if g.effect == "Allow"} | {g for g in gained if g.effect == "Deny"})),
        tuple(_lost(before, after)),
    )


def _grants(templates: Mapping[str, Template]) -> Iterator[Grant]:
    for stack, template in templates.items():
        for logical_id, resource in template.get("Resources", {}).items():
            properties = resource.get("Properties", {})
            for holder in _holders(logical_id, properties):
                yield from _of_resource(f"{stack}/{holder}", resource["Type"], properties)


def _holders(logical_id: str, properties: Mapping[str, Any]) -> list[str]:
    """A policy is its roles'; every other document is that of the resource it stands in."""
    return [_said(role) for role in properties.get("Roles", [])] or [logical_id]


def _of_resource(holder: str, kind: str, properties: Mapping[str, Any]) -> Iterator[Grant]:
    documents = [properties[name] for name in DOCUMENTS if name in properties]
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for document in documents:
        for statement in _listed(document.get("Statement", [])):
            yield from _of_statement(holder, statement)
    for managed in properties.get("ManagedPolicyArns", []):
        yield Grant(holder, "Allow", "all that it says", _said(managed), "", "")
    if kind == LAMBDA_PERMISSION:
        condition = {key: properties[key] for key in ("SourceArn", "SourceAccount") if key in properties}
        yield Grant(
            f"{holder.split('/')[0]}/{_said(properties['FunctionName'])}",
            "Allow",
            properties["Action"],
            _said(properties["FunctionName"]),
            _said(properties["Principal"]),
            _said(condition) if condition else "",
        )


def _of_statement(holder: str, statement: Mapping[str, Any]) -> Iterator[Grant]:
    principal = {key: statement[key] for key in ("Principal", "NotPrincipal") if key in statement}
    condition = statement.get("Condition")
    for action in _named(statement, "Action"):
        for resource in _named(statement, "Resource"):
            yield Grant(
                holder,
                statement["Effect"],
                action,
                resource,
                _said(principal) if principal else "",
                _said(condition) if condition else "",
            )


def _named(statement: Mapping[str, Any], key: str) -> list[str]:
    if f"Not{key}" in statement:
        return [f"all but {_said(statement[f'Not{key}'])}"]
    return [_said(one) for one in _listed(statement.get(key, "itself"))]


def _lost(before: Mapping[str, Template], after: Mapping[str, Template]) -> Iterator[str]:
    for stack, template in before.items():
        there = after.get(stack, {}).get("Resources", {})
        for logical_id, resource in template.get("Resources", {}).items():
            if resource["Type"] not in KEEPS_DATA:
                continue
            what, kept = (
                f"{stack}/{logical_id} ({resource['Type']})",
                resource.get("DeletionPolicy") == "Retain",
            )
            if there.get(logical_id, {}).get("Type") != resource["Type"]:
                yield f"{what} would be {'left behind, out of the stack' if kept else 'deleted'}"
            elif changed := _replacing(resource, there[logical_id]):
                yield f"{what} would be replaced, since {', '.join(changed)} changes"


def _replacing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    then, now = before.get("Properties", {}), after.get("Properties", {})
    return [name for name in sorted(KEEPS_DATA[before["Type"]]) if then.get(name) != now.get(name)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _said(value: Any) -> str:
    """A reference by its target, a text that is joined by its parts, else JSON.

    >>> _said({"Fn::Join": ["", [{"Fn::GetAtt": ["Data", "Arn"]}, "/labels/*"]]})
    '<Data.Arn>/labels/*'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, of),) = value.items()
        if kind == "Ref":
            return f"<{of}>"
        if kind == "Fn::GetAtt":
            return f"<{'.'.join(_listed(of))}>"
        if kind == "Fn::ImportValue":
            return f"<{_said(of)}>"
        if kind == "Fn::Join":
            return str(of[0]).join(_said(part) for part in of[1])
    return json.dumps(value, sort_keys=True)
