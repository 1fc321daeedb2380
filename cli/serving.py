"""What Serving runs, from its own stack: the release record is the value of its parameter `Release`."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cli.source import Aws
from domain.names import MODE_PARAMETER, NO_RELEASE, RELEASE_PARAMETER
from domain.releases import ReleaseRecord


def serving_status(aws: Aws) -> str:
    """CloudFormation's word for the state of Serving; empty while there is no such stack."""
    stack = _stack(aws)
    return str(stack["StackStatus"]) if stack else ""


def _stack(aws: Aws) -> dict[str, Any] | None:
    name = aws.names.stack("serving")
    try:
        found: dict[str, Any] = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return found


def live_mode(aws: Aws) -> str | None:
    """How Serving serves; None before it is deployed. One from before there were modes serves in real time."""
    stack = _stack(aws)
    if stack is None:
        return None
    values = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
    return str(values.get(MODE_PARAMETER, "realtime"))


def live_release(aws: Aws) -> ReleaseRecord | None:
    """The release that Serving was told to run; None before the first one."""
    stack = _stack(aws)
    if stack is None:
        return None
    values = {one["ParameterKey"]: one.get("ResolvedValue", "") for one in stack.get("Parameters", [])}
    record = values.get(RELEASE_PARAMETER, "")
    return None if record.split(",")[0] in ("", NO_RELEASE) else ReleaseRecord.from_parameter(record)
