"""Reads and checks a SageMaker pipeline definition, as CreatePipeline and UpdatePipeline do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.engine import shapes
from rehearsal.engine.account import Unsupported
from rehearsal.engine.pipeline_expressions import (
    CONDITIONS,
    EXECUTION_VARIABLES,
    PART,
    is_variable,
    references,
    step_of,
)

# A step type, the API call that carries it out, and the call that describes what came of it.
OPERATIONS = {
    "Processing": ("CreateProcessingJob", "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", "DescribeTrainingJob"),
    "RegisterModel": ("CreateModelPackage", "DescribeModelPackage"),
}
STEP_TYPES = (*OPERATIONS, "Condition", "Fail", "Lambda")
OUTPUT_TYPES = ("String", "Integer", "Float", "Boolean")
PARAMETER_TYPES: dict[str, type] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}


class DefinitionError(Exception):
    """The definition or a parameter value is not acceptable."""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: Any
    allowed: tuple[Any, ...]

    def value(self, text: Any) -> Any:
        """A value as given to StartPipelineExecution (text) or as a default, in the parameter's type."""
        try:
            value = self._convert(text)
        except ValueError as error:
            raise DefinitionError(f"Parameter {self.name}: {text!r} is not of type {self.type}") from error
        if self.allowed and value not in self.allowed:
            raise DefinitionError(f"Parameter {self.name}: got {value!r}, allowed: {list(self.allowed)}")
        return value

    def _convert(self, text: Any) -> Any:
        if self.type == "Boolean":
            if str(text).lower() not in ("true", "false"):
                raise ValueError(text)
            return str(text).lower() == "true"
        if self.type == "String" and not isinstance(text, str):
            raise ValueError(text)
        return PARAMETER_TYPES[self.type](text)


@dataclass(frozen=True)
class Step:
    name: str
    type: str
    arguments: Mapping[str, Any]
    depends_on: tuple[str, ...]
    property_files: Mapping[str, tuple[str, str]]  # name: (output name, path in the output)
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    function_arn: str = ""
    output_parameters: tuple[str, ...] = ()  # of a Lambda step: what of the function's answer others may read

    def needs(self) -> set[str]:
        """The steps that must have run before this one."""
        arguments = self.arguments["Conditions"] if self.type == "Condition" else self.arguments
        read = {step_of(reference) for reference in references(arguments)}
        return {*self.depends_on, *(name for name in read if name)}


@dataclass(frozen=True)
class Definition:
    parameters: Mapping[str, Parameter]
    steps: tuple[Step, ...]

    def every_step(self) -> Iterator[Step]:
        yield from _flat(self.steps)


def _flat(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _flat(step.if_steps)
        yield from _flat(step.else_steps)


def parse(text: str) -> Definition:
    """The definition, or DefinitionError with what is wrong and where."""
    try:
        document = json.loads(text)
        definition = Definition(
            {item["Name"]: _parameter(item) for item in document.get("Parameters", [])},
            tuple(_step(item) for item in document["Steps"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DefinitionError(
            f"Unable to parse pipeline definition: {type(error).__name__}: {error}"
        ) from error
    found = list(_faults(definition))
    if found:
        raise DefinitionError(f"Unable to parse pipeline definition. {'; '.join(found)}")
    return definition


def _parameter(item: dict[str, Any]) -> Parameter:
    if item["Type"] not in PARAMETER_TYPES:
        raise DefinitionError(
            f"Parameter {item['Name']}: type {item['Type']!r}; allowed: {list(PARAMETER_TYPES)}"
        )
    default, allowed = item.get("DefaultValue"), tuple(item.get("EnumValues", ()))
    parameter = Parameter(item["Name"], item["Type"], default, allowed)
    if default is not None:
        parameter.value(default)
    return parameter


def _step(item: dict[str, Any]) -> Step:
    name, kind, arguments = item["Name"], item["Type"], item["Arguments"]
    if kind not in STEP_TYPES:
        raise Unsupported(
            f"Pipeline step {name} of type {kind}; built: {', '.join(STEP_TYPES)}; "
            "build it in rehearsal/engine/pipelines.py"
        )
    if item.get("CacheConfig", {}).get("Enabled"):
        raise Unsupported(
            f"Pipeline step {name}: CacheConfig; turn it off or build it in rehearsal/engine/pipelines.py"
        )
    return Step(
        name=name,
        type=kind,
        arguments=arguments,
        depends_on=tuple(item.get("DependsOn", ())),
        property_files={
            file["PropertyFileName"]: (file["OutputName"], file["FilePath"])
            for file in item.get("PropertyFiles", [])
        },
        if_steps=tuple(_step(inner) for inner in arguments.get("IfSteps", [])),
        else_steps=tuple(_step(inner) for inner in arguments.get("ElseSteps", [])),
        function_arn=item["FunctionArn"] if kind == "Lambda" else "",
        output_parameters=tuple(_outputs(name, item.get("OutputParameters", []))),
    )


def _outputs(step: str, items: list[dict[str, Any]]) -> Iterator[str]:
    for item in items:
        if item["OutputType"] not in OUTPUT_TYPES:
            raise DefinitionError(
                f"step {step}: OutputType {item['OutputType']!r}; allowed: {list(OUTPUT_TYPES)}"
            )
        yield item["OutputName"]


def _faults(definition: Definition) -> Iterator[str]:
    steps = list(definition.every_step())
    names = [step.name for step in steps]
    yield from (f"step name {name} is used twice" for name in sorted(set(names)) if names.count(name) > 1)
    known = {step.name: step for step in steps}
    for step in steps:
        yield from (f"step {step.name}: {fault}" for fault in _step_faults(step, known, definition))
    yield from _cycles(known)


def _step_faults(step: Step, known: Mapping[str, Step], definition: Definition) -> Iterator[str]:
    for name in step.depends_on:
        if name not in known:
            yield f"DependsOn {name}, which is no step; steps: {', '.join(known)}"
    for output, _ in step.property_files.values():
        outputs = step.arguments.get("ProcessingOutputConfig", {}).get("Outputs", [])
        if output not in [item.get("OutputName") for item in outputs]:
            yield f"a property file reads output {output!r}, which the step does not have"
    own = step.arguments["Conditions"] if step.type == "Condition" else step.arguments
    for reference in references(own):
        yield from _reference_faults(reference, known, definition)
    if step.type in OPERATIONS:
        yield from _argument_faults(step)
    elif step.type == "Condition":
        yield from _condition_faults(step.arguments["Conditions"])
    elif step.type == "Fail" and "ErrorMessage" not in step.arguments:
        yield "a Fail step needs ErrorMessage"


def _argument_faults(step: Step) -> Iterator[str]:
    operation = OPERATIONS[step.type][0]
    name = {"CreateTrainingJob": "TrainingJobName", "CreateProcessingJob": "ProcessingJobName"}.get(operation)
    arguments = {**step.arguments, **({name: "named-by-the-execution"} if name else {})}
    yield from shapes.faults(operation, arguments, skip=is_variable)


def _condition_faults(conditions: list[dict[str, Any]]) -> Iterator[str]:
    for condition in conditions:
        kind = condition.get("Type")
        if kind not in CONDITIONS:
            yield f"condition type {kind!r}; allowed: {', '.join(CONDITIONS)}"
        elif kind in ("Not", "Or"):
            yield from _condition_faults(condition.get("Conditions", [condition.get("Expression", {})]))
        else:
            wanted = {"QueryValue", "Values"} if kind == "In" else {"LeftValue", "RightValue"}
            yield from (f"condition {kind} needs {key}" for key in sorted(wanted - set(condition)))


def _reference_faults(reference: str, known: Mapping[str, Step], definition: Definition) -> Iterator[str]:
    kind, _, rest = reference.partition(".")
    if kind == "Parameters" and rest not in definition.parameters:
        yield f"{reference}: no such parameter; parameters: {', '.join(definition.parameters) or 'none'}"
    elif kind == "Execution" and rest not in EXECUTION_VARIABLES:
        yield f"{reference}: no such variable; variables: {', '.join(EXECUTION_VARIABLES)}"
    elif kind == "Steps":
        name, _, path = rest.partition(".")
        if name not in known:
            yield f"{reference}: no such step; steps: {', '.join(known)}"
        elif path.startswith("PropertyFiles."):
            if path.partition(".")[2] not in known[name].property_files:
                yield f"{reference}: step {name} has no such property file"
        elif not _is_attribute(known[name], path):
            yield f"{reference}: a {known[name].type} step has no such attribute"
    elif kind not in ("Parameters", "Execution", "Steps"):
        yield f"{reference}: a reference starts with Parameters, Execution or Steps"


def _is_attribute(step: Step, path: str) -> bool:
    """Does what describes the step have this path?"""
    if step.type == "Lambda":
        return path in {f"OutputParameters['{name}']" for name in step.output_parameters}
    if step.type not in OPERATIONS or not path:
        return False
    shape = shapes.output_shape(OPERATIONS[step.type][1])
    for match in PART.finditer(path):
        name = next(group for group in match.groups() if group is not None)
        if shape.type_name == "structure" and name in shape.members:
            shape = shape.members[name]
        elif shape.type_name == "list":
            shape = shape.member
        elif shape.type_name == "map":
            shape = shape.value
        else:
            return False
    return True


def _cycles(known: Mapping[str, Step]) -> Iterator[str]:
    done: set[str] = set()
    while ready := {
        name for name, step in known.items() if name not in done and not _blocked(step, known, done)
    }:
        done |= ready
    if stuck := sorted(set(known) - done):
        yield f"these steps wait for one another: {', '.join(stuck)}"


def _blocked(step: Step, known: Mapping[str, Step], done: set[str]) -> bool:
    return bool((step.needs() & set(known)) - done)
