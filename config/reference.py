"""docs/configuration.md, written from the schemas: every key with its default, what is allowed, what it does.

python -m config.reference
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.delivery import Delivery
from config.schema import ROOT, Config

PAGE = ROOT / "docs" / "configuration.md"
HEAD = """# Configuration

Written from `config/schema.py` and `config/delivery.py` by `python -m config.reference`. An unknown key or a wrong
value stops the synth, and the error says what was got and what is allowed.
"""
ENVIRONMENT = """
## An environment: `config/<environment>.yaml`

`config/dev.yaml`: approval automatic, retraining on. `config/prod.yaml`: a person approves, an alarm advises, two
instances.
"""
PIPELINE = """
## The delivery pipeline: `config/delivery.yaml`

Without this file there is none. [Delivery](delivery.md#configuration) tells the sources.
"""


@dataclass(frozen=True)
class Key:
    """One key, as the page tells it."""

    name: str
    default: str
    allowed: str
    does: str


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Every key of a schema that is a value; parts are gone through, after their own key if they may be left out."""
    properties, does = model.model_json_schema()["properties"], _docstrings(model)
    for name, field in model.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and issubclass(kind, BaseModel) and name != "source":
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield Key(f"{prefix}{name}", _default(field), _allowed(properties[name]), does.get(name, ""))
            for part in get_args(kind) if type(None) in get_args(kind) else ():
                if inspect.isclass(part) and issubclass(part, BaseModel):
                    yield from keys(part, f"{prefix}{name}.")


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands under each field. Pydantic could read it, too, at every start of every program."""
    [body] = [
        node.body for node in ast.parse(inspect.getsource(model)).body if isinstance(node, ast.ClassDef)
    ]
    return {
        ast.unparse(field.target): " ".join(str(ast.literal_eval(under.value)).split())
        for field, under in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(under, ast.Expr)
        and isinstance(under.value, ast.Constant)
    }


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "an S3 zip"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(schema: Mapping[str, Any]) -> str:
    """The values of a property, from its JSON schema; a pattern is left to the error and the words beside it."""
    if "anyOf" in schema:
        return _allowed(next(one for one in schema["anyOf"] if one.get("type") != "null"))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [
        f"from {low:g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"to {high:g}" if high is not None else f"below {below:g}" if below is not None else "",
    ]
    told = " ".join(bound for bound in bounds if bound)
    return f"whole, {told}" if told and schema.get("type") == "integer" else told


def table(model: type[BaseModel]) -> str:
    rows = [f"| `{one.name}` | {one.default} | {one.allowed} | {one.does} |" for one in keys(model)]
    return "\n".join(
        ["", "| key | default | allowed | what it does |", "| --- | --- | --- | --- |", *rows, ""]
    )


def page() -> str:
    return HEAD + ENVIRONMENT + table(Config) + PIPELINE + table(Delivery)


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
