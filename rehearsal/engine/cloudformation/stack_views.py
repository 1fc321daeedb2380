"""How CloudFormation's API shows a stack and its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.engine.cloudformation.stack_state import Deployed, Stack
from rehearsal.engine.cloudformation.template import Parameter, Template


def described(stack: Stack) -> dict[str, Any]:
    """The stack as DescribeStacks shows it."""
    parameters = parameters_view(stack.template, stack.parameters)
    outputs = [
        {
            "OutputKey": key,
            "OutputValue": output.value,
            **({"Description": output.description} if output.description else {}),
            **({"ExportName": output.export_name} if output.export_name else {}),
        }
        for key, output in stack.outputs.items()
    ]
    return {
        **_common(stack),
        **({"Parameters": parameters} if parameters else {}),
        **({"Outputs": outputs} if outputs else {}),
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "Capabilities": list(stack.capabilities),
        "EnableTerminationProtection": stack.protected,
        "DisableRollback": False,
        "NotificationARNs": [],
        **({"RoleARN": stack.role_arn} if stack.role_arn else {}),
    }


def parameters_view(template: Template, parameters: Mapping[str, Parameter]) -> list[dict[str, str]]:
    slots, found = template.section("Parameters"), []
    for key, parameter in parameters.items():
        shown = "****" if str(slots[key].get("NoEcho", False)).lower() == "true" else parameter.given
        resolved = parameter.resolved
        text = resolved if isinstance(resolved, str) else ",".join(resolved)
        extra = {"ResolvedValue": text} if parameter.is_key else {}
        found.append({"ParameterKey": key, "ParameterValue": shown, **extra})
    return found


def summary(stack: Stack) -> dict[str, Any]:
    """The stack as ListStacks shows it."""
    view = _common(stack)
    if "Description" in view:
        view["TemplateDescription"] = view.pop("Description")
    return view


def resource_view(stack: Stack, item: Deployed) -> dict[str, Any]:
    log = (event for event in reversed(stack.events) if event["LogicalResourceId"] == item.logical_id)
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "LogicalResourceId": item.logical_id,
        "PhysicalResourceId": item.physical_id,
        "ResourceType": item.kind.type,
        "Timestamp": item.changed_at,
        "ResourceStatus": next(log)["ResourceStatus"],
    }


def _common(stack: Stack) -> dict[str, Any]:
    description = stack.template.document.get("Description")
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status,
        **({"StackStatusReason": stack.reason} if stack.reason else {}),
        **({"LastUpdatedTime": stack.updated} if stack.updated else {}),
        **({"Description": description} if description else {}),
    }
