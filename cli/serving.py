"""What Serving runs, from its own stack: the release record is the value of its one parameter."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cli.source import Aws
from domain.names import NO_RELEASE
from domain.releases import ReleaseRecord


def live_release(aws: Aws) -> ReleaseRecord | None:
    """The release that Serving was told to run; None before the first one."""
    name = aws.names.stack("serving")
    try:
        stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    values = {one["ParameterKey"]: one.get("ResolvedValue", "") for one in stack.get("Parameters", [])}
    record = values.get("Release", "")
    return None if record.split(",")[0] in ("", NO_RELEASE) else ReleaseRecord.from_parameter(record)
