"""What a request to create or update a stack says: parameters, tags, capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.engine.cloudformation.stack_state import Stack
from rehearsal.engine.cloudformation.template import Parameter, Template
from rehearsal.engine.moto_seams import cloudformation as seam

Request = dict[str, Any]
NAMES_OF_IAM = {"AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName"}


@dataclass(frozen=True)
class Planned:
    """An update that was checked, with its parameters as they were then."""

    stack: Stack
    template: Template
    parameters: dict[str, Parameter]
    tags: dict[str, str] | None
    """None keeps those that the stack has."""
    role_arn: str | None


def given_parameters(request: Request, stack: Stack) -> dict[str, str]:
    """The parameters of an update: a key that is to keep its previous value keeps, for SSM types, its key."""
    given = {}
    for item in request.get("Parameters", []):
        key = item["ParameterKey"]
        if not item.get("UsePreviousValue"):
            given[key] = item["ParameterValue"]
        elif "ParameterValue" in item:
            raise seam.error(
                "ValidationError",
                f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty "
                "value for a parameter",
            )
        elif key not in stack.parameters:
            raise seam.error("ValidationError", f"Parameters: [{key}] must have values")
        else:
            given[key] = stack.parameters[key].given
    return given


def tags_of(request: Request) -> dict[str, str] | None:
    return {tag["Key"]: tag["Value"] for tag in request["Tags"]} if "Tags" in request else None


def check_capabilities(template: Template, request: Request) -> None:
    """A template that makes IAM resources says so, and says more when it names them."""
    iam = [node for node in template.resources.values() if node["Type"].startswith("AWS::IAM::")]
    named = any(NAMES_OF_IAM.get(node["Type"], "-") in node.get("Properties", {}) for node in iam)
    needed = {"CAPABILITY_NAMED_IAM"} if named else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
    if iam and not needed & set(request.get("Capabilities", [])):
        asked = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
        raise seam.error("InsufficientCapabilitiesException", f"Requires capabilities : [{asked}]")
