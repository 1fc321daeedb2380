"""The gate before every API: a call with a role's credentials is judged before moto answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.engine.account import Unsupported
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.calls import Call
from rehearsal.engine.iam.policies import Principal
from rehearsal.engine.moto_seams import http, identity
from rehearsal.engine.moto_seams.http import Refusal, Request

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

CODES = {"s3": "AccessDenied", "sns": "AuthorizationError"}
KEY_CODES = {"sqs": "KmsAccessDenied", "sns": "KMSAccessDenied"}
"""What the error of a service is called where it is not AccessDeniedException; also for refusals of KMS."""


def install(account: Account) -> None:
    """Judge what comes over HTTP; in-process callers are the administrator."""
    sessions: dict[str, Principal | None] = {}

    def caller(access_key: str) -> Principal | None:
        if access_key not in sessions:
            found = identity.session(account, access_key)
            sessions[access_key] = (
                Principal(account.id, role_arn=found.role_arn, session_arn=found.arn) if found else None
            )
        return sessions[access_key]

    def check(request: Request) -> Refusal | None:
        principal = caller(request.access_key)
        if principal is None:
            return None  # a person's own keys
        if request.parameters.get("ExpectedBucketOwner", account.id) != account.id:
            return Refusal("AccessDenied", "Access Denied")  # every bucket here is this account's
        call = Call(request.service, request.operation, request.parameters)
        try:
            found = enforcement.denial_of_call(account, principal, call)
        except Unsupported as unsupported:
            account.journal.write("unsupported", what=str(unsupported))
            return Refusal("Unsupported", str(unsupported))
        if found is None:
            return None
        default = "AccessDenied" if request.is_query else "AccessDeniedException"
        code = CODES.get(request.service, default)
        if found.action.startswith("kms:"):
            code = KEY_CODES.get(request.service, code)
        return Refusal(code, found.message)

    http.guard(account, check)
