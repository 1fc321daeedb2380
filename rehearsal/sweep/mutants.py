"""The mutants of a template: each drops or spoils one thing that CloudFormation would take without a word. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rehearsal.sweep import values

Path = tuple[str | int, ...]
Operation = Literal["drop", "set"]
SPOILED = "spoiled"
DOCUMENTS = ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument", "RepositoryPolicyText")
"""Where a resource keeps a policy."""


@dataclass(frozen=True)
class Mutant:
    """One thing in one template, gone or wrong. `value` is JSON text, for a mutant is a value itself."""

    stack: str
    """The name of the stack, such as tideline-dev-training."""
    kind: str
    path: Path
    operation: Operation = "drop"
    value: str = ""
    said: str = ""
    """What stands there, for people."""

    @property
    def name(self) -> str:
        """Stable as long as logical ids are: "tideline-dev-training drop Resources.X.Properties.Y (its value)"."""
        verb = "drop" if self.operation == "drop" else f"set {self.value} at"
        return f"{self.stack} {verb} {'.'.join(str(part) for part in self.path)}" + (
            f" ({self.said})" if self.said else ""
        )

    def applied(self, template: dict[str, Any]) -> dict[str, Any]:
        """A copy of the template with this one change."""
        changed = copy.deepcopy(template)
        place: Any = changed
        for part in self.path[:-1]:
            place = place[part]
        if self.operation == "set":
            place[self.path[-1]] = json.loads(self.value)
        else:
            del place[self.path[-1]]
        if self.operation == "drop" and self.path[:-1] == ("Resources",):
            _forget(changed, str(self.path[-1]))
        return changed


def _forget(template: dict[str, Any], logical_id: str) -> None:
    """A resource that is gone is nobody's dependency."""
    for resource in template["Resources"].values():
        needs = resource.get("DependsOn", [])
        if isinstance(needs, list) and logical_id in needs:
            needs.remove(logical_id)
        elif needs == logical_id:
            del resource["DependsOn"]


def mutants(stack: str, template: dict[str, Any]) -> list[Mutant]:
    """Every mutant of one template, in its own order."""
    found = [Mutant(stack, *rest) for rest in _of_template(template)]
    return list(dict.fromkeys(found))


Found = Iterator[tuple[Any, ...]]  # kind, path, operation, value, said


def _of_template(template: dict[str, Any]) -> Found:
    for name in template.get("Parameters", {}):
        yield "parameter", ("Parameters", name)
    for name, condition in template.get("Conditions", {}).items():
        yield "condition", ("Conditions", name)
        yield "condition", ("Conditions", name), "set", json.dumps({"Fn::Not": [condition]})
    for logical_id, resource in template["Resources"].items():
        here: Path = ("Resources", logical_id)
        if "Condition" in resource:
            yield "condition", (*here, "Condition"), "drop", "", resource["Condition"]
        properties = resource.get("Properties", {})
        yield from _policies((*here, "Properties"), properties)
        special = BY_TYPE.get(resource["Type"])
        if special:
            yield from special((*here, "Properties"), properties)
        yield from values.mutants(here, resource)


def _policies(here: Path, properties: dict[str, Any]) -> Found:
    for name in DOCUMENTS:
        if name in properties:
            yield from _document((*here, name), properties[name])
    for number, policy in enumerate(properties.get("Policies", [])):
        yield from _document((*here, "Policies", number, "PolicyDocument"), policy["PolicyDocument"])


def _document(here: Path, document: dict[str, Any]) -> Found:
    is_trust, is_key = "AssumeRolePolicyDocument" in here, "KeyPolicy" in here
    for number, statement in enumerate(document["Statement"]):
        place, actions = (*here, "Statement", number), _listed(statement.get("Action"))
        is_kms = is_key or all(action.startswith("kms:") for action in actions)
        yield (
            "KMS grant" if is_kms else "trust" if is_trust else "statement",
            place,
            "drop",
            "",
            _brief(actions),
        )
        if len(actions) > 1:
            for index, action in enumerate(actions):
                kind = "KMS grant" if action.startswith("kms:") else "action"
                yield kind, (*place, "Action", index), "drop", "", action
        resources = statement.get("Resource")
        if isinstance(resources, list) and len(resources) > 1:
            for index in range(len(resources)):
                yield (
                    "KMS grant" if is_kms else "resource",
                    (*place, "Resource", index),
                    "drop",
                    "",
                    _brief(actions),
                )
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                yield "policy condition", (*place, "Condition", operator, key), "drop", "", _brief(actions)
        kind = "trust" if is_trust else "KMS grant" if is_key else "principal"
        yield from _principals(kind, (*place, "Principal"), statement.get("Principal"))


def _principals(kind: str, here: Path, principal: Any) -> Found:
    for who, named in principal.items() if isinstance(principal, dict) else ():
        if isinstance(named, list):
            for index, one in enumerate(named):
                yield kind, (*here, who, index), "drop", "", one if isinstance(one, str) else who
        else:
            said = named if isinstance(named, str) else who
            wrong = "spoiled.amazonaws.com" if who == "Service" else "arn:aws:iam::111111111111:root"
            yield kind, (*here, who), "set", json.dumps(wrong), said


def _function(here: Path, properties: dict[str, Any]) -> Found:
    yield from _variables((*here, "Environment", "Variables"), properties)


def _variables(here: Path, properties: dict[str, Any]) -> Found:
    for name in properties.get("Environment", {}).get("Variables", {}):
        yield "environment", (*here, name)
        yield "environment", (*here, name), "set", json.dumps(SPOILED)


def _project(here: Path, properties: dict[str, Any]) -> Found:
    for number, variable in enumerate(properties["Environment"].get("EnvironmentVariables", [])):
        place = (*here, "Environment", "EnvironmentVariables", number)
        yield "environment", place, "drop", "", variable["Name"]
        yield "environment", (*place, "Value"), "set", json.dumps(SPOILED), variable["Name"]


def _permission(here: Path, properties: dict[str, Any]) -> Found:
    yield "permission", here[:-1], "drop", "", "AWS::Lambda::Permission"
    if "SourceArn" in properties:
        yield "permission", (*here, "SourceArn")


def _rule(here: Path, properties: dict[str, Any]) -> Found:
    if "EventPattern" in properties:
        yield from _pattern((*here, "EventPattern"), properties["EventPattern"])
    for number, target in enumerate(properties.get("Targets", [])):
        place = (*here, "Targets", number)
        yield "target", place, "drop", "", "of a rule"
        for name in sorted(target.keys() - {"Id", "Arn"}):
            yield "target", (*place, name)


def _pattern(here: Path, pattern: dict[str, Any]) -> Found:
    for name, node in pattern.items():
        place = (*here, name)
        yield "pattern", place
        if isinstance(node, dict):
            yield from _pattern(place, node)
        else:
            yield "pattern", place, "set", json.dumps([SPOILED])


def _alarm(here: Path, properties: dict[str, Any]) -> Found:
    yield from _metric(here, properties)
    for number, query in enumerate(properties.get("Metrics", [])):
        place = (*here, "Metrics", number)
        yield "alarm metric", place, "drop", "", query["Id"]
        if "MetricStat" in query:
            yield from _metric((*place, "MetricStat", "Metric"), query["MetricStat"]["Metric"])
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for number in range(len(properties.get(name, []))):
            yield "target", (*here, name, number)


def _metric(here: Path, metric: dict[str, Any]) -> Found:
    for name in ("Namespace", "MetricName"):
        if name in metric:
            yield "alarm metric", (*here, name), "set", json.dumps(f"{metric[name]}{SPOILED}")
    for number, dimension in enumerate(metric.get("Dimensions", [])):
        place = (*here, "Dimensions", number)
        yield "alarm dimension", place, "drop", "", dimension["Name"]
        yield "alarm dimension", (*place, "Name"), "set", json.dumps(SPOILED), dimension["Name"]
        yield "alarm dimension", (*place, "Value"), "set", json.dumps(SPOILED), dimension["Name"]


def _scalable_target(here: Path, properties: dict[str, Any]) -> Found:
    yield "scaling", (*here, "ResourceId"), "set", json.dumps(f"endpoint/{SPOILED}/variant/{SPOILED}")
    yield "scaling", (*here, "MinCapacity"), "set", json.dumps(int(properties["MinCapacity"]) + 1)
    yield "scaling", (*here, "MaxCapacity"), "set", json.dumps(int(properties["MaxCapacity"]) + 1)


def _scaling_policy(here: Path, _: dict[str, Any]) -> Found:
    metric = (*here, "TargetTrackingScalingPolicyConfiguration", "PredefinedMetricSpecification")
    yield "scaling", here[:-1], "drop", "", "AWS::ApplicationAutoScaling::ScalingPolicy"
    yield "scaling", (*metric, "PredefinedMetricType"), "set", json.dumps(SPOILED)


def _mapping(here: Path, _: dict[str, Any]) -> Found:
    yield "target", here[:-1], "drop", "", "AWS::Lambda::EventSourceMapping"


BY_TYPE: dict[str, Callable[[Path, dict[str, Any]], Found]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _scalable_target,
    "AWS::ApplicationAutoScaling::ScalingPolicy": _scaling_policy,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CodeBuild::Project": _project,
    "AWS::Events::Rule": _rule,
    "AWS::Lambda::EventSourceMapping": _mapping,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
}


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value] if value else []


def _brief(actions: Sequence[str]) -> str:
    return ", ".join(actions[:2]) + (", ..." if len(actions) > 2 else "")


def own(given: Any, templates: dict[str, dict[str, Any]]) -> list[Mutant]:
    """A reviewer's mutants, [{"template", "path", "operation", "value"}]; the path is a list or has dots.

    Raises ValueError for one that is of no use.
    """
    return [_own(one, templates) for one in given]


def _own(one: dict[str, Any], templates: dict[str, dict[str, Any]]) -> Mutant:
    stack, path, operation = one.get("template", ""), one.get("path"), one.get("operation")
    if stack not in templates:
        raise ValueError(f"template: got {stack!r}, allowed: {', '.join(templates)}")
    if operation not in ("drop", "set"):
        raise ValueError(f"operation: got {operation!r}, allowed: drop, set (with a value)")
    parts: list[Any] = path.split(".") if isinstance(path, str) else list(path or [])
    place: Any = templates[stack]
    for index, part in enumerate(parts):
        last_of_set = index == len(parts) - 1 and operation == "set"
        try:
            parts[index] = int(part) if isinstance(place, list) else part
            place = place[parts[index]]
        except (KeyError, IndexError, ValueError, TypeError):
            if last_of_set and isinstance(place, dict):
                break
            there = ", ".join(map(str, place)) if isinstance(place, dict) else type(place).__name__
            raise ValueError(f"path: {stack} has no {part!r} in {path!r}; there is: {there}") from None
    if not parts:
        raise ValueError(f"path: got {path!r}, allowed: a list of keys and indices")
    return Mutant(
        stack, "own", tuple(parts), operation, json.dumps(one.get("value")) if operation == "set" else ""
    )
