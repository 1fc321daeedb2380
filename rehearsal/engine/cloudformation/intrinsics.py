"""CloudFormation's intrinsic functions and conditions: a template's node in, its value out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rehearsal.engine.account import Unsupported

NO_VALUE = object()
SUB_NAME = re.compile(r"\$\{(!?)([^}]+)\}")


class TemplateError(Exception):
    """The template cannot be deployed as it is; reads as AWS's own message."""


class Referable(Protocol):
    """A deployed resource as other resources see it."""

    @property
    def physical_id(self) -> str: ...

    @property
    def attributes(self) -> Mapping[str, Any]: ...


@dataclass
class Scope:
    """Everything that a template's expressions can see."""

    values: Mapping[str, Any]
    """Parameters and pseudo parameters, resolved."""
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resources: Mapping[str, Referable]
    imported: Callable[[str], str]
    """The value of an export, by its name."""
    _decided: dict[str, bool] = field(default_factory=dict)

    def holds(self, condition: str | None) -> bool:
        """Whether the named condition is true; no condition always is."""
        if condition is None:
            return True
        if condition not in self._decided:
            if condition not in self.conditions:
                raise TemplateError(f"Template error: unresolved condition dependency {condition}")
            self._decided[condition] = self.decide(self.conditions[condition])
        return self._decided[condition]

    def decide(self, node: Any) -> bool:
        """A condition's (or a rule's) truth."""
        if not isinstance(node, dict) or len(node) != 1:
            return text(node) == "true"
        (function, argument), *_ = node.items()
        match function:
            case "Condition":
                return self.holds(argument)
            case "Fn::Equals":
                left, right = (self.value(side) for side in argument)
                return text(left) == text(right)
            case "Fn::Not":
                return not self.decide(argument[0])
            case "Fn::And":
                return all(self.decide(part) for part in argument)
            case "Fn::Or":
                return any(self.decide(part) for part in argument)
            case "Fn::Contains":
                return self.value(argument[1]) in self.value(argument[0])
        raise Unsupported(
            f"the condition function {function}: build it in rehearsal/engine/cloudformation/intrinsics.py"
        )

    def value(self, node: Any) -> Any:
        """The node with every function replaced by what it gives; AWS::NoValue leaves nothing behind."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (function, argument), *_ = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument)
        values = {key: self.value(child) for key, child in node.items()}
        return {key: value for key, value in values.items() if value is not NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        handler = _FUNCTIONS.get(function)
        if handler is None:
            raise Unsupported(
                f"the intrinsic function {function}: build it in rehearsal/engine/cloudformation/intrinsics.py"
            )
        return handler(self, argument)

    def references(self, node: Any) -> Iterator[str]:
        """The names that the node refers to, on the branches that are taken."""
        if isinstance(node, list):
            for child in node:
                yield from self.references(child)
        elif isinstance(node, dict):
            for key, child in node.items():
                yield from self._references(key, child)

    def _references(self, key: str, child: Any) -> Iterator[str]:
        match key:
            case "Ref":
                yield child
            case "Fn::GetAtt":
                yield child[0] if isinstance(child, list) else child.split(".")[0]
            case "Fn::If":
                yield from self.references(child[1 if self.holds(child[0]) else 2])
            case "Fn::Sub":
                template, given = (child, {}) if isinstance(child, str) else child
                for literal, name in SUB_NAME.findall(template):
                    if not literal and name not in given:
                        yield name.split(".")[0]
                yield from self.references(given)
            case _:
                yield from self.references(child)


def text(value: Any) -> str:
    """A value as CloudFormation puts it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _ref(scope: Scope, name: str) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in scope.values:
        return scope.values[name]
    if name in scope.resources:
        return scope.resources[name].physical_id
    raise TemplateError(
        f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template"
    )


def _get_att(scope: Scope, argument: Any) -> Any:
    name, _, attribute = (
        argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
    )
    if name not in scope.resources:
        raise TemplateError(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
    attributes = scope.resources[name].attributes
    if attribute not in attributes:
        raise TemplateError(
            f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt "
            f"(known here: {', '.join(sorted(attributes)) or 'none'})"
        )
    return attributes[attribute]


def _if(scope: Scope, argument: list[Any]) -> Any:
    return scope.value(argument[1 if scope.holds(argument[0]) else 2])


def _join(scope: Scope, argument: list[Any]) -> str:
    return str(argument[0]).join(text(part) for part in scope.value(argument[1]))


def _split(scope: Scope, argument: list[Any]) -> list[str]:
    return str(scope.value(argument[1])).split(argument[0])


def _select(scope: Scope, argument: list[Any]) -> Any:
    index, choices = int(scope.value(argument[0])), scope.value(argument[1])
    if not 0 <= index < len(choices):
        raise TemplateError(
            f"Template error: Fn::Select cannot select nonexistent value at index {index} of {len(choices)}"
        )
    return choices[index]


def _sub(scope: Scope, argument: Any) -> str:
    template, given = (argument, {}) if isinstance(argument, str) else argument

    def replacement(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return "${" + name + "}"
        if name in given:
            return text(scope.value(given[name]))
        return text(_get_att(scope, name) if "." in name else _ref(scope, name))

    return SUB_NAME.sub(replacement, template)


def _find_in_map(scope: Scope, argument: list[Any]) -> Any:
    name, first, second = (scope.value(part) for part in argument)
    try:
        return scope.mappings[name][first][second]
    except KeyError:
        raise TemplateError(f"Template error: Unable to get mapping for {name}::{first}::{second}") from None


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::Sub": _sub,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": lambda scope, argument: scope.imported(scope.value(argument)),
    "Fn::Base64": lambda scope, argument: base64.b64encode(text(scope.value(argument)).encode()).decode(),
    "Fn::ToJsonString": lambda scope, argument: json.dumps(scope.value(argument), separators=(",", ":")),
}
