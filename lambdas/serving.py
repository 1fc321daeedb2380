"""The Serving stack as a release asks for it: its parameters, its updates, and the records that they name."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import ClientError

from domain.names import RELEASE_PARAMETER
from lambdas import aws


def given(stack: str) -> dict[str, str]:
    """Serving's parameters as they stand; of the release its record's key."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in aws.stack(stack)["Parameters"]}


def release_key(stack: str) -> str | None:
    """The release record that Serving is given."""
    return given(stack).get(RELEASE_PARAMETER)


def keep_record(key: str, value: str) -> None:
    """Write the immutable record. Raises RuntimeError if the key holds another one."""
    ssm = aws.client("ssm")
    try:
        ssm.put_parameter(Name=key, Value=value, Type="StringList", Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        held = [found["Value"] for found in ssm.get_parameters(Names=[key])["Parameters"]]
        if held != [value]:
            raise RuntimeError(
                f"{key}: got {value!r} to write, but it holds {held}; a record never changes: "
                "did an older deployment leave it behind? Delete it, then approve the package again"
            ) from None
        aws.log("the release record was written before", key=key)


def update(stack: str, changes: Mapping[str, str], *, token: str) -> None:
    """Ask CloudFormation for these parameters, those of them that Serving has; all others stay. Twice is once."""
    parameters = [
        {"ParameterKey": name, "ParameterValue": changes[name]}
        if name in changes
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in given(stack)
    ]
    try:
        aws.client("cloudformation").update_stack(
            StackName=stack, UsePreviousTemplate=True, Parameters=parameters, ClientRequestToken=token
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
