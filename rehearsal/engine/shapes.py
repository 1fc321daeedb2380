"""What SageMaker checks of a request, read from botocore's model: keys, types, enums, patterns, limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}
LONGEST_MATCHED = 2048  # botocore's patterns of whole documents backtrack for minutes

Skip = Callable[[Any], bool]


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def input_shape(operation: str) -> Any:
    return _model().operation_model(operation).input_shape


def output_shape(operation: str) -> Any:
    return _model().operation_model(operation).output_shape


def faults(operation: str, values: dict[str, Any], *, skip: Skip = lambda _: False) -> list[str]:
    """What is wrong with a request; `skip` says which values cannot be checked yet (variables)."""
    shape = input_shape(operation)
    return [] if shape is None else list(_walk(shape, values, "", skip))


def message(found: list[str]) -> str:
    """The faults as AWS words them."""
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: " + "; ".join(found)


def _walk(shape: Shape, value: Any, at: str, skip: Skip) -> Iterator[str]:
    if value is None or skip(value):
        return
    allowed = PYTHON_TYPES.get(shape.type_name)
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        yield f"Value {value!r} at '{at}' must be a {shape.type_name}, got {type(value).__name__}"
        return
    yield from _limits(shape, value, at)
    if shape.type_name == "structure":
        yield from _structure(shape, value, at, skip)
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            yield from _walk(shape.member, item, f"{at}[{index}]", skip)
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _walk(shape.key, key, f"{at}.{key}", skip)
            yield from _walk(shape.value, item, f"{at}.{key}", skip)


def _structure(shape: Any, value: dict[str, Any], at: str, skip: Skip) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_join(at, name)}' failed to satisfy constraint: Member must not be null"
    for name, item in value.items():
        if name not in shape.members:
            known = ", ".join(sorted(shape.members))
            yield f"Unknown parameter '{_join(at, name)}'; known here: {known}"
        else:
            yield from _walk(shape.members[name], item, _join(at, name), skip)


def _limits(shape: Any, value: Any, at: str) -> Iterator[str]:
    failed = f"Value {str(value)[:80]!r} at '{at}' failed to satisfy constraint: Member must"
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        shown = ", ".join(enum[:8]) + (f", ... ({len(enum)} in all)" if len(enum) > 8 else "")
        yield f"{failed} satisfy enum value set: [{shown}]"
    size = value if isinstance(value, int | float) else len(value)
    what = "have value" if isinstance(value, int | float) else "have length"
    if "max" in shape.metadata and size > shape.metadata["max"]:
        yield f"{failed} {what} less than or equal to {shape.metadata['max']}"
    if "min" in shape.metadata and size < shape.metadata["min"]:
        yield f"{failed} {what} greater than or equal to {shape.metadata['min']}"
    pattern = shape.metadata.get("pattern")
    if pattern and isinstance(value, str) and len(value) <= LONGEST_MATCHED and not _matches(pattern, value):
        yield f"{failed} satisfy regular expression pattern: {pattern}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:  # a Java pattern (\p{L}) that Python does not know
        return True


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
