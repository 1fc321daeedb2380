"""What Lambda makes sure of before it runs anything: that the function's role may do its part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Access
from rehearsal.engine.moto_seams import functions as seam
from rehearsal.engine.moto_seams import protected

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

LAMBDA = "lambda.amazonaws.com"
SENDING = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def refusal(account: Account, properties: Mapping[str, Any]) -> str | None:
    """Why CreateFunction refuses the role, if it does."""
    role_arn = str(properties["Role"])
    if not enforcement.trusts(account, role_arn, LAMBDA):
        return "The role defined for the function cannot be assumed by Lambda."
    target = (properties.get("DeadLetterConfig") or {}).get("TargetArn", "")
    wanted = [(SENDING[target.split(":")[2]], target)] if target else []
    if (properties.get("TracingConfig") or {}).get("Mode") == "Active":
        wanted.append(("xray:PutTraceSegments", "*"))
    return _first_missing(account, role_arn, wanted)


def refusal_to_poll(account: Account, properties: Mapping[str, Any]) -> str | None:
    """Why CreateEventSourceMapping refuses the function's role, if it does."""
    function = seam.find(account, properties["FunctionName"])
    source = properties["EventSourceArn"]
    if function is None or source.split(":")[2] != "sqs":
        return None
    return _first_missing(account, function.role_arn, [(action, source) for action in POLLING])


def require_key(account: Account, function: seam.Function) -> None:
    """Raises PermissionError when the role may not decrypt the function's environment."""
    key = protected.key(account, function.arn)
    if key is None or not function.environment:
        return
    context = (
        ("kms:encryptioncontext:aws:lambda:functionarn", (function.arn,)),
        ("kms:viaservice", (f"lambda.{account.region}.amazonaws.com",)),
    )
    session = enforcement.session(account, function.role_arn, function.name)
    denial = enforcement.denial(account, session, Access("kms:Decrypt", key, context))
    if denial:
        raise PermissionError(
            "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check "
            f"the function's KMS key settings. KMS Exception: AccessDeniedException KMS Message: {denial.message}"
        )


def _first_missing(account: Account, role_arn: str, wanted: list[tuple[str, str]]) -> str | None:
    session = enforcement.session(account, role_arn, "lambda")
    for action, resource in wanted:
        if not enforcement.decided(account, session, Access(action, resource), "to go on").allowed:
            service, _, verb = action.partition(":")
            return (
                f"The provided execution role does not have permissions to call {verb} on {service.upper()} "
                f"({role_arn}, {resource})"
            )
    return None
