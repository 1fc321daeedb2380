"""An execution of a code pipeline as plain state: revisions, variables, artefacts, and how far each stage is."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

VARIABLE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@_-]+)\}")


class UnresolvedVariable(Exception):
    """An action uses a variable that no earlier action gave."""


def identifier(*parts: object) -> str:
    """A UUID that is the same for the same parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))))


@dataclass
class ActionRun:
    """One action of a stage in one execution."""

    name: str
    id: str
    status: str
    changed: datetime
    summary: str = ""
    token: str = ""
    external_id: str = ""
    error: str = ""


@dataclass
class StageRun:
    """One stage in one execution. `deadline` is when its approval runs out."""

    status: str = "InProgress"
    actions: dict[str, ActionRun] = field(default_factory=dict)
    retried: bool = False
    deadline: datetime | None = None


@dataclass
class Execution:
    """One way of one revision through the pipeline."""

    id: str
    number: int
    pipeline: Mapping[str, Any]
    version: int
    trigger: str
    started: datetime
    source: Mapping[str, str] = field(default_factory=dict)
    """What the trigger says of the revision: {commit, branch} or {version}; the newest if it says nothing."""
    kind: str = "STANDARD"
    status: str = "InProgress"
    at: int = 0
    stages: dict[str, StageRun] = field(default_factory=dict)
    variables: dict[str, dict[str, str]] = field(default_factory=dict)
    artefacts: dict[str, str] = field(default_factory=dict)
    """Artefact name -> key in the artefact bucket."""
    revision: str = ""
    target: str = ""
    """Of a rollback: the execution whose revision and variables it uses."""

    @property
    def stage(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.pipeline["stages"][self.at]
        return found

    def resolved(self, text: str) -> str:
        """Text with its #{namespace.variable} filled in."""

        def value(match: re.Match[str]) -> str:
            if match.group(0) == "#{codepipeline.PipelineExecutionId}":
                return self.id
            try:
                return self.variables[match[1]][match[2]]
            except KeyError:
                raise UnresolvedVariable(
                    f"the variable {match.group(0)} is not given by any action before"
                ) from None

        return VARIABLE.sub(value, text)
