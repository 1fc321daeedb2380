"""Private touches on moto's IAM and STS: who a key stands for, and the policies of a role, as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass(frozen=True)
class Session:
    """An assumed role."""

    role_arn: str
    arn: str


@dataclass(frozen=True)
class RoleDocuments:
    """The policy documents of one role."""

    trust: str
    permissions: tuple[str, ...]
    boundary: str | None


def session(account: Account, access_key: str) -> Session | None:
    """Whose temporary credentials these are; None for keys that no assumed role has."""
    role = sts_backends[account.id]["aws"].get_assumed_role_from_access_key(access_key)
    return Session(role.role_arn, role.arn) if role else None


def role_documents(account: Account, role_arn: str) -> RoleDocuments | None:
    """What the role trusts and may do, or None when there is no such role."""
    backend = iam_backends[account.id]["aws"]
    role: Role | None = next((role for role in backend.roles.values() if role.arn == role_arn), None)
    if role is None:
        return None
    managed = [_default_version(policy) for policy in role.managed_policies.values()]
    boundary = role.permissions_boundary_arn
    return RoleDocuments(
        trust=_text(role.assume_role_policy_document),
        permissions=tuple(_text(document) for document in [*role.policies.values(), *managed]),
        boundary=_text(_default_version(backend.managed_policies[boundary])) if boundary else None,
    )


def role_arns(account: Account) -> list[str]:
    """Every role of the account, in the order of their names."""
    return sorted(role.arn for role in iam_backends[account.id]["aws"].roles.values())


def _default_version(policy: ManagedPolicy) -> Any:
    return next(
        version.document for version in policy.versions if version.version_id == policy.default_version_id
    )


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document, sort_keys=True)
