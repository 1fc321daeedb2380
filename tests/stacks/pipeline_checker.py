"""Checks a pipeline definition before SageMaker does: requests against botocore's shapes, references against steps."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "RegisterModel": "CreateModelPackage",
}
DESCRIPTIONS = {"Processing": "DescribeProcessingJob", "Training": "DescribeTrainingJob"}
NAMES = {"Processing": "ProcessingJobName", "Training": "TrainingJobName"}
"""What SageMaker itself adds to the request."""
JAVA_CLASSES = {r"\p{L}": "a-zA-Z", r"\p{M}": "", r"\p{Z}": " ", r"\p{N}": "0-9", r"\p{S}": "+<=>|~^$`"}
"""Some patterns are Java's; these classes are enough for what we write."""


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def faults(definition: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """Everything wrong with the definition under these parameters; nothing if SageMaker would take it."""
    given = {
        p["Name"]: p["DefaultValue"] for p in definition["Parameters"] if "DefaultValue" in p
    } | parameters
    found = list(_references(definition))
    for step in all_steps(definition["Steps"]):
        if step["Type"] in OPERATIONS and not found:
            found += [f"{step['Name']}: {fault}" for fault in _request(step, given)]
        elif step["Type"] not in (*OPERATIONS, "Condition", "Lambda"):
            found.append(f"{step['Name']}: this checker knows no step of type {step['Type']}")
    return found


def all_steps(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each step in the order in which it could run, those inside conditions too."""
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from all_steps(step["Arguments"]["IfSteps"])
            yield from all_steps(step["Arguments"]["ElseSteps"])


def gets(value: Any) -> Iterator[str]:
    """Every {"Get": ...} in a value."""
    if isinstance(value, dict):
        if isinstance(value.get("Get"), str):
            yield value["Get"]
        for item in value.values():
            yield from gets(item)
    elif isinstance(value, list):
        for item in value:
            yield from gets(item)


def _references(definition: dict[str, Any]) -> Iterator[str]:
    parameters = {p["Name"] for p in definition["Parameters"]}
    before: dict[str, dict[str, Any]] = {}
    for step in all_steps(definition["Steps"]):
        own = {**step, "Arguments": {k: v for k, v in step["Arguments"].items() if not k.endswith("Steps")}}
        for reference in gets(own):
            root, _, path = reference.partition(".")
            name, _, attribute = path.partition(".")
            if root == "Parameters" and path not in parameters:
                yield f"{step['Name']}: there is no parameter {path}"
            elif root == "Steps" and name not in before:
                yield f"{step['Name']}: no step {name} runs before it"
            elif root == "Steps" and not _exists(before[name], attribute):
                yield f"{step['Name']}: step {name} has no {attribute}"
        if step["Name"] in before:
            yield f"{step['Name']}: two steps have this name"
        before[step["Name"]] = step


def _exists(step: dict[str, Any], attribute: str) -> bool:
    """Whether a step's description has this attribute, and its request the named output or property file."""
    head, _, rest = attribute.partition(".")
    outputs = [
        o["OutputName"] for o in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
    ]
    if head == "PropertyFiles":
        files = {f["PropertyFileName"]: f["OutputName"] for f in step.get("PropertyFiles", [])}
        return files.get(rest) in outputs
    if step["Type"] == "Lambda":
        return attribute in {f"OutputParameters['{one['OutputName']}']" for one in step["OutputParameters"]}
    shape = model().operation_model(DESCRIPTIONS[step["Type"]]).output_shape
    for part in attribute.split("."):
        name, key = re.fullmatch(r"(\w+)(?:\['([^']+)'\])?", part).groups()  # type: ignore[union-attr]
        if shape.type_name != "structure" or name not in shape.members:
            return False
        shape = shape.members[name]
        if key is not None:
            if key not in outputs:
                return False
            shape = shape.member
    return True


def bind(value: Any, parameters: dict[str, Any]) -> Any:
    """The value as a run would have it: parameters put in, outputs of steps as made-up URIs."""
    if isinstance(value, list):
        return [bind(item, parameters) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        root, _, name = value["Get"].partition(".")
        if name.endswith("Digest']"):
            return "sha256:" + "0" * 64
        return parameters[name] if root == "Parameters" else "s3://bucket/of/a/step"
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return str(join["On"]).join(str(bind(item, parameters)) for item in join["Values"])
    return {name: bind(item, parameters) for name, item in value.items()}


def _request(step: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    request = bind(copy.deepcopy(step["Arguments"]), parameters)
    if step["Type"] in NAMES:
        request[NAMES[step["Type"]]] = "a-name"
    shape = model().operation_model(OPERATIONS[step["Type"]]).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        yield report.generate_report()
    else:
        yield from _deep(shape, request, "")


def _deep(shape: Any, value: Any, at: str) -> Iterator[str]:
    """What botocore's own validator leaves to the service: enumerations, patterns and maxima."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, item in value.items():
            yield from _deep(shape.members[name], item, f"{at}.{name}")
    elif shape.type_name in ("list", "map"):
        items = value.items() if shape.type_name == "map" else enumerate(value)
        inner = shape.value if shape.type_name == "map" else shape.member
        for key, item in items:
            yield from _deep(inner, item, f"{at}[{key}]")
    size = value if isinstance(value, (int, float)) else len(value)
    if "max" in limits and size > limits["max"]:
        yield f"{at}: {value!r} is above {limits['max']}"
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{at}: {value!r} is not one of the {len(limits['enum'])} allowed"
    if limits.get("pattern") and not re.fullmatch(_python(limits["pattern"]), value):
        yield f"{at}: {value!r} does not match {limits['pattern']}"


def _python(pattern: str) -> str:
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    return re.sub(r"\$\{\d+,\d+\}$", "$", pattern)  # a repeated end, which Python refuses
