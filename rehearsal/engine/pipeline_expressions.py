"""Variables, functions and conditions of a SageMaker pipeline definition (schema version 2020-12-01)."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")
EXECUTION_VARIABLES = (
    "CurrentDateTime",
    "PipelineArn",
    "PipelineExecutionArn",
    "PipelineExecutionId",
    "PipelineName",
    "StartDateTime",
)
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
CONDITIONS = (*COMPARISONS, "In", "Not", "Or")
PART = re.compile(r"""\.?([^.\[\]'"]+)|\[(?:'([^']*)'|"([^"]*)"|(\d+))\]""")


class ExpressionError(Exception):
    """An expression cannot be worked out; the step that holds it fails."""


def is_variable(value: Any) -> bool:
    """Is this a function call rather than a plain value?"""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def references(value: Any) -> Iterator[str]:
    """Every path that a `Get` names, anywhere in `value`."""
    if isinstance(value, dict):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield value["Get"]
        else:
            for item in value.values():
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def step_of(reference: str) -> str | None:
    """The step that a reference reads, if it reads one."""
    parts = reference.split(".", 2)
    return parts[1] if parts[0] == "Steps" and len(parts) > 1 else None


@dataclass(frozen=True)
class Scope:
    """What an execution knows when an expression is worked out."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]  # by step: what Describe answers
    property_files: Mapping[tuple[str, str], str]  # by (step, file): the S3 URI
    read: Callable[[str], bytes]  # an object of S3, with the pipeline's role

    def resolve(self, value: Any) -> Any:
        """The value with every function call worked out."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "Get" in value and len(value) == 1:
            return self._get(value["Get"])
        if "Std:Join" in value:
            join = value["Std:Join"]
            return join["On"].join(_text(self.resolve(item)) for item in join["Values"])
        if "Std:JsonGet" in value:
            return self._json_get(value["Std:JsonGet"])
        return {key: self.resolve(item) for key, item in value.items()}

    def holds(self, condition: Mapping[str, Any]) -> bool:
        """Is one condition of a Condition step true?"""
        kind = condition["Type"]
        if kind == "Not":
            return not self.holds(condition["Expression"])
        if kind == "Or":
            return any(self.holds(item) for item in condition["Conditions"])
        if kind == "In":
            return self.resolve(condition["QueryValue"]) in self.resolve(condition["Values"])
        left, right = self.resolve(condition["LeftValue"]), self.resolve(condition["RightValue"])
        try:
            return bool(COMPARISONS[kind](left, right))
        except TypeError as error:
            raise ExpressionError(f"Condition {kind} cannot compare {left!r} with {right!r}") from error

    def _get(self, reference: str) -> Any:
        kind, _, rest = reference.partition(".")
        if kind == "Parameters":
            return self.parameters[rest]
        if kind == "Execution":
            return self.execution[rest]
        step, _, path = rest.partition(".")
        if step not in self.outputs:
            raise ExpressionError(f"{reference}: step {step} was not executed")
        return follow(self.outputs[step], path, reference)

    def _json_get(self, call: Mapping[str, Any]) -> Any:
        uri = (
            self._property_file(call["PropertyFile"])
            if "PropertyFile" in call
            else self.resolve(call["S3Uri"])
        )
        try:
            document = json.loads(self.read(uri))
        except ValueError as error:
            raise ExpressionError(f"Std:JsonGet: {uri} is not JSON: {error}") from error
        return follow(document, call["Path"], f"Std:JsonGet {uri} {call['Path']}")

    def _property_file(self, value: Any) -> str:
        _, step, _, name = value["Get"].split(".", 3)
        if (step, name) not in self.property_files:
            raise ExpressionError(f"Std:JsonGet: step {step}, which writes {name}, was not executed")
        return self.property_files[step, name]


def follow(value: Any, path: str, what: str) -> Any:
    """Go down `a.b['name'].c[0]`; a list is entered by index or by the name of an item."""
    for match in PART.finditer(path):
        name = next(group for group in match.groups() if group is not None)
        value = _enter(value, name, what)
    return value


def _enter(value: Any, name: str, what: str) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list):
        if name.isdigit() and int(name) < len(value):
            return value[int(name)]
        for item in value:
            if isinstance(item, Mapping) and name in item.values():
                return item
    raise ExpressionError(f"{what}: there is no {name!r}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)
