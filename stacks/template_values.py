"""Templates as plain values: what a lint compares, with one release record put in for the parameter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.names import RELEASE_SLOTS

SAMPLE_RELEASE = ["000042", "s3://artefacts/model.tar.gz", "image@sha256:1", "package/7"]
SAMPLE_RELEASE += [f"ml.c5.{size}large" for size in ("", "x", "2x")[:RELEASE_SLOTS]]
PSEUDO = {
    "AWS::Partition": "{partition}",
    "AWS::Region": "{region}",
    "AWS::AccountId": "{account}",
}


@dataclass(frozen=True)
class Resource:
    stack: str
    logical_id: str
    raw: Mapping[str, Any]
    properties: Mapping[str, Any]
    """Without intrinsics; a reference that is not needed here stands as text in angle brackets."""


@dataclass(frozen=True)
class Templates:
    """The templates of one environment, by stack."""

    by_stack: Mapping[str, Mapping[str, Any]]

    def of_type(self, kind: str) -> list[Resource]:
        return list(self._of_type(kind))

    def _of_type(self, kind: str) -> Iterator[Resource]:
        for stack, template in self.by_stack.items():
            for logical_id, raw in template["Resources"].items():
                if raw["Type"] == kind:
                    properties = self._value(template, raw.get("Properties", {}))
                    yield Resource(stack, logical_id, raw, properties)

    def _value(self, template: Mapping[str, Any], value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(template, item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._intrinsic(template, name, argument)
        return {key: self._value(template, item) for key, item in value.items()}

    def _intrinsic(self, template: Mapping[str, Any], name: str, argument: Any) -> Any:
        if name == "Ref" and argument in PSEUDO:
            return PSEUDO[argument]
        if name == "Ref" and str(template.get("Parameters", {}).get(argument, {}).get("Type")).endswith(
            "<List<String>>"
        ):
            return SAMPLE_RELEASE
        if name == "Fn::Select":
            index, values = argument
            return self._value(template, values)[int(index)]
        if name == "Fn::Join":
            separator, values = argument
            return str(separator).join(map(str, self._value(template, values)))
        if name == "Fn::GetAtt" and argument[1].endswith("Name"):
            owner = template["Resources"][argument[0]].get("Properties", {})
            if argument[1] in owner:
                return self._value(template, owner[argument[1]])
        return f"<{name} {json.dumps(argument)}>"
