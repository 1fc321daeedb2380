"""Private touches on moto's IAM: a role's trust policy and permissions, read without a chain of API calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Document = dict[str, Any]


@dataclass(frozen=True)
class RoleDocuments:
    """The policy documents of one role."""

    trust: Document
    permissions: tuple[Document, ...]
    boundary: Document | None


def assumed_role_arn(account: Account, access_key: str) -> str | None:
    """The role whose session has this access key, or None: then it is the administrator."""
    session = sts_backends[account.id]["aws"].get_assumed_role_from_access_key(access_key)
    return str(session.role_arn) if session else None


def role_documents(account: Account, role_arn: str) -> RoleDocuments | None:
    """What the role trusts and may do, or None when there is no such role."""
    backend = iam_backends[account.id]["aws"]
    role: Role | None = next((role for role in backend.roles.values() if role.arn == role_arn), None)
    if role is None:
        return None
    managed = [_default_version(policy) for policy in role.managed_policies.values()]
    boundary = role.permissions_boundary_arn
    return RoleDocuments(
        trust=_parsed(role.assume_role_policy_document),
        permissions=tuple(_parsed(document) for document in [*role.policies.values(), *managed]),
        boundary=_parsed(_default_version(backend.managed_policies[boundary])) if boundary else None,
    )


def _default_version(policy: ManagedPolicy) -> Any:
    return next(
        version.document for version in policy.versions if version.version_id == policy.default_version_id
    )


def _parsed(document: Any) -> Document:
    parsed: Document = json.loads(document) if isinstance(document, str) else dict(document)
    return parsed
