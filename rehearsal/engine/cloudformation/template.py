"""A CloudFormation template: its parameters, rules, the order of its resources, and what the account cannot deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.cloudformation.intrinsics import NO_VALUE, Scope, TemplateError, text

SSM_TYPE = "AWS::SSM::Parameter::Value<"
SECTIONS = {
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions",
    "Resources", "Outputs",
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A stack's parameter: what was given (for SSM types a key) and what the templates sees."""

    given: str
    resolved: str | list[str]
    is_key: bool


@dataclass(frozen=True)
class Output:
    value: str
    description: str | None
    export_name: str | None


@dataclass(frozen=True)
class Template:
    """A template as it was sent."""

    body: str

    @cached_property
    def document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise Unsupported(
                f"a template that is not JSON ({error}): the local account reads JSON"
            ) from None
        if not document.get("Resources"):
            raise TemplateError("Template format error: At least one Resources member must be defined.")
        strange = document.keys() - SECTIONS
        if strange:
            raise Unsupported(
                f"the template section {', '.join(sorted(strange))}: "
                "build it in rehearsal/engine/cloudformation/template.py"
            )
        return dict(document)

    def section(self, name: str) -> dict[str, Any]:
        return self.document.get(name) or {}

    @property
    def resources(self) -> dict[str, Any]:
        return self.section("Resources")

    def parameters(
        self, given: Mapping[str, str], fetch: Callable[[list[str]], dict[str, str]]
    ) -> dict[str, Parameter]:
        """Every declared parameter, checked; `fetch` reads keys of the SSM parameter store."""
        declared = self.section("Parameters")
        unknown = sorted(given.keys() - declared.keys())
        if unknown:
            raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        values = {name: given.get(name, slot.get("Default")) for name, slot in declared.items()}
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
        keys = {name for name, slot in declared.items() if slot["Type"].startswith(SSM_TYPE)}
        stored = fetch(sorted({str(values[name]) for name in keys}))
        resolved = {}
        for name, slot in declared.items():
            value = str(values[name])
            _check_parameter(name, value, slot)
            seen = stored[value] if name in keys else value
            resolved[name] = Parameter(value, seen.split(",") if _is_list(slot) else seen, name in keys)
        return resolved

    def check_rules(self, scope: Scope) -> None:
        for name, rule in self.section("Rules").items():
            if "RuleCondition" in rule and not scope.decide(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not scope.decide(assertion["Assert"]):
                    said = assertion.get("AssertDescription", "an assertion does not hold")
                    raise TemplateError(f"Template validation error: rule {name}: {said}")

    def active(self, scope: Scope) -> dict[str, Any]:
        """The resources whose condition holds."""
        return {
            name: resource
            for name, resource in self.resources.items()
            if scope.holds(resource.get("Condition"))
        }

    def in_order(self, scope: Scope) -> list[str]:
        """The active resources, each after all that it depends on."""
        active = self.active(scope)
        needs = {name: list(self._needs(name, scope)) for name in active}
        ordered: dict[str, None] = {}
        for name in active:
            _visit(name, needs, ordered, ())
        return list(ordered)

    def _needs(self, name: str, scope: Scope) -> Iterator[str]:
        resource, active = self.resources[name], self.active(scope)
        explicit = resource.get("DependsOn", [])
        for need in [explicit] if isinstance(explicit, str) else explicit:
            if need not in self.resources:
                raise TemplateError(f"Template format error: Unresolved resource dependencies [{need}]")
            if need in active:
                yield need
        for need in scope.references(resource.get("Properties", {})):
            if need in active:
                yield need
            elif need in self.resources:
                raise TemplateError(
                    f"Template format error: Unresolved resource dependencies [{need}] in the Resources block "
                    f"of the template: {name} refers to it, and its condition is false"
                )

    def outputs(self, scope: Scope) -> dict[str, Output]:
        found = {}
        for name, output in self.section("Outputs").items():
            if scope.holds(output.get("Condition")):
                value = scope.value(output["Value"])
                export = scope.value(output["Export"]["Name"]) if "Export" in output else None
                if value is not NO_VALUE:
                    found[name] = Output(text(value), output.get("Description"), export)
        return found


def _visit(
    name: str, needs: Mapping[str, list[str]], ordered: dict[str, None], path: tuple[str, ...]
) -> None:
    if name in path:
        raise TemplateError(f"Circular dependency between resources: [{', '.join(path)}]")
    if name not in ordered:
        for need in needs[name]:
            _visit(need, needs, ordered, (*path, name))
        ordered[name] = None


def _is_list(slot: Mapping[str, Any]) -> bool:
    kind = slot["Type"].removeprefix(SSM_TYPE).rstrip(">")
    return bool(kind.startswith("List<") or kind == "CommaDelimitedList")


def _check_parameter(name: str, value: str, slot: Mapping[str, Any]) -> None:
    """The constraints that the template puts on a parameter's value."""
    faults = []
    if "AllowedPattern" in slot and not re.fullmatch(slot["AllowedPattern"], value):
        faults.append(f"must match pattern {slot['AllowedPattern']}")
    if "AllowedValues" in slot and value not in map(str, slot["AllowedValues"]):
        faults.append(f"must be one of {slot['AllowedValues']}")
    if "MinLength" in slot and len(value) < int(slot["MinLength"]):
        faults.append(f"must contain at least {slot['MinLength']} characters")
    if "MaxLength" in slot and len(value) > int(slot["MaxLength"]):
        faults.append(f"must contain at most {slot['MaxLength']} characters")
    if slot["Type"] == "Number":
        faults += _number_faults(value, slot)
    if faults:
        said = slot.get("ConstraintDescription") or f"got {value!r}, {' and '.join(faults)}"
        raise TemplateError(f"Parameter '{name}' failed to satisfy constraint: {said}")


def _number_faults(value: str, slot: Mapping[str, Any]) -> Iterator[str]:
    try:
        number = float(value)
    except ValueError:
        yield "must be a number"
        return
    if number < float(slot.get("MinValue", number)):
        yield f"must be at least {slot['MinValue']}"
    if number > float(slot.get("MaxValue", number)):
        yield f"must be at most {slot['MaxValue']}"
