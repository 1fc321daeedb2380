"""What a deployed role is good for: who may assume it, its credentials, and what its policies allow.

Partial on purpose: conditions, resource policies and key policies are not evaluated here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import boto3

from rehearsal.engine.moto_seams import identity

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Statement = dict[str, Any]

_clients: WeakKeyDictionary[Account, dict[tuple[str, str, str], Any]] = WeakKeyDictionary()


def credentials(account: Account, role_arn: str, service: str) -> dict[str, str]:
    """The environment variables under which a process acts as the role, if the role trusts `service`."""
    require_trust(account, role_arn, service)
    assumed = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=service.split(".")[0])
    return {
        "AWS_ACCESS_KEY_ID": assumed["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["Credentials"]["SessionToken"],
        "AWS_REGION": account.region,
        "AWS_DEFAULT_REGION": account.region,
        "AWS_ENDPOINT_URL": account.endpoint_url,  # an IP address: botocore then addresses buckets by path
    }


def require_trust(account: Account, role_arn: str, service: str) -> None:
    """Raises PermissionError unless the role is there and lets this service assume it."""
    documents = identity.role_documents(account, role_arn)
    if documents is None or not _trusts(documents.trust, service):
        raise PermissionError(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{service}' to assume the role."
        )


def client(account: Account, role_arn: str, service: str, api: str) -> Any:
    """A boto3 client of `api` over HTTP that acts as the role which `service` assumes; made once, trusted each time."""
    require_trust(account, role_arn, service)
    kept = _clients.setdefault(account, {})
    if (role_arn, service, api) not in kept:
        environment = credentials(account, role_arn, service)
        kept[role_arn, service, api] = boto3.client(
            api,
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment["AWS_SESSION_TOKEN"],
        )
    return kept[role_arn, service, api]


def allows(account: Account, role_arn: str, action: str, resource: str) -> bool:
    """Whether the role's own policies, within its boundary, allow the action on the resource."""
    documents = identity.role_documents(account, role_arn)
    if documents is None:
        return False
    granted = _decide(documents.permissions, action, resource)
    return granted and (documents.boundary is None or _decide([documents.boundary], action, resource))


def _decide(documents: Iterable[identity.Document], action: str, resource: str) -> bool:
    """An explicit Deny wins; without an Allow the answer is no."""
    effects = {
        statement["Effect"]
        for document in documents
        for statement in _listed(document["Statement"])
        if _applies(statement, action, resource)
    }
    return "Deny" not in effects and "Allow" in effects


def _applies(statement: Statement, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        covers_action = not _matches_any(statement["NotAction"], action.lower(), fold=True)
    else:
        covers_action = _matches_any(statement["Action"], action.lower(), fold=True)
    if "NotResource" in statement:
        return covers_action and not _matches_any(statement["NotResource"], resource)
    return covers_action and _matches_any(statement["Resource"], resource)


def _trusts(trust: identity.Document, service: str) -> bool:
    effects = {
        statement["Effect"]
        for statement in _listed(trust["Statement"])
        if _matches_any(statement["Action"], "sts:assumerole", fold=True) and _names(statement, service)
    }
    return "Deny" not in effects and "Allow" in effects


def _names(statement: Statement, service: str) -> bool:
    principal = statement.get("Principal", {})
    return principal == "*" or service in _listed(principal.get("Service", []))


def _matches_any(patterns: str | list[str], value: str, *, fold: bool = False) -> bool:
    return any(
        _compiled(pattern.lower() if fold else pattern).fullmatch(value) for pattern in _listed(patterns)
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """IAM knows two wildcards: * is any text, ? is one character; brackets mean themselves."""
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
