"""What the deployed roles were given and what of it was ever used, in the life of one account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Grant, statements
from rehearsal.engine.moto_seams import identity

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass(frozen=True)
class RoleGrant:
    """One action that a statement of a role's policies allows."""

    role: str
    grant: Grant
    is_used: bool


def report(account: Account) -> list[RoleGrant]:
    """Every grant of every role, as deployed now."""
    used = enforcement.uses(account).by_role
    return [
        RoleGrant(arn.rsplit("/", 1)[-1], grant, grant in used[arn])
        for arn in identity.role_arns(account)
        for grant in sorted(set(_grants(account, arn)), key=lambda one: (one.statement, one.action))
    ]


def _grants(account: Account, role_arn: str) -> Iterator[Grant]:
    documents = identity.role_documents(account, role_arn)
    for document in documents.permissions if documents else ():
        for statement in statements(document):
            if statement.allows:
                yield from (Grant(statement.text, action) for action in statement.actions)
