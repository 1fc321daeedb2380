"""Conditions of a stage: rules over variables, and what follows when they do not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery.execution import Execution
from rehearsal.engine.moto_seams import developer_tools as seam

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "EQ": lambda value, wanted: value == wanted,
    "NE": lambda value, wanted: value != wanted,
    "CONTAINS": lambda value, wanted: wanted in value,
    "MATCHES": lambda value, wanted: re.fullmatch(wanted, value) is not None,
}


@dataclass(frozen=True)
class Unmet:
    """A condition that does not hold, and the result that it is declared with."""

    result: str
    reason: str


def check(pipeline: Mapping[str, Any]) -> None:
    """Refuse by name, when a pipeline is made, what a stage would not do here."""
    for stage in pipeline["stages"]:
        for where in ("onSuccess", "blockers"):
            if stage.get(where):
                raise Unsupported(f"CodePipeline stage {stage['name']}: {where} is not built")
        goes_back = (stage.get("onFailure") or {}).get("result") == "ROLLBACK"
        if goes_back and pipeline.get("executionMode") == "PARALLEL":
            message = f"Stage {stage['name']}: a stage of a pipeline in PARALLEL mode cannot be rolled back"
            raise seam.error("InvalidStageDeclarationException", message)
        if (stage.get("onFailure") or {}).get("conditions"):
            raise Unsupported(f"CodePipeline stage {stage['name']}: onFailure conditions are not built")
        for condition in (stage.get("beforeEntry") or {}).get("conditions", []):
            for rule in condition["rules"]:
                if rule["ruleTypeId"]["provider"] != "VariableCheck":
                    raise Unsupported(f"the CodePipeline rule {rule['ruleTypeId']['provider']} is not built")


def unmet(execution: Execution, before_entry: Mapping[str, Any] | None) -> Unmet | None:
    """The first condition that does not hold. All rules of one must succeed."""
    for condition in (before_entry or {}).get("conditions", []):
        for rule in condition["rules"]:
            given = rule["configuration"]
            value = execution.resolved(given["Variable"])
            if not OPERATORS[given["Operator"]](value, given["Value"]):
                reason = f"{rule['name']}: {given['Variable']} is {value!r}, not {given['Operator']} {given['Value']!r}"
                return Unmet(condition["result"], reason)
    return None
