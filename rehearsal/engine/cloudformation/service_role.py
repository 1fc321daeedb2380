"""The role under which CloudFormation acts on a stack: what it may not do is refused as the API would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.calls import Call
from rehearsal.engine.moto_seams import cloudformation as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "cloudformation.amazonaws.com"
SESSION = "AWSCloudFormation"


def check(account: Account, role_arn: str | None) -> None:
    """Refuse a role that CloudFormation cannot assume."""
    try:
        if role_arn:
            roles.require_trust(account, role_arn, SERVICE)
    except PermissionError:
        message = f"Role {role_arn} is invalid or cannot be assumed"
        raise seam.error("ValidationError", message) from None


def require(
    account: Account, role_arn: str | None, service: str, operation: str, parameters: Mapping[str, Any]
) -> None:
    """Raises ClientError; a stack without a role has its caller's rights, an administrator's."""
    if role_arn is None:
        return
    session = enforcement.session(account, role_arn, SESSION)
    denial = enforcement.denial_of_call(account, session, Call(service, operation, parameters))
    if denial:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": denial.message}}, operation)
