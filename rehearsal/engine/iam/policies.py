"""Policies as AWS reads them: which statements speak about a request, and what they say. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rehearsal.engine.iam import conditions
from rehearsal.engine.iam.patterns import listed, matches_any


@dataclass(frozen=True)
class Principal:
    """Who asks: a role's session, or an AWS service by its own name."""

    account: str
    role_arn: str = ""
    session_arn: str = ""
    service: str = ""

    @property
    def name(self) -> str:
        """What AWS calls it in a refusal."""
        return self.session_arn or self.service


@dataclass(frozen=True)
class Access:
    """One action on one resource, and the condition keys of the request."""

    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Grant:
    """One action of a statement that allows, as the policy writes both."""

    statement: str
    action: str

    @property
    def resources(self) -> tuple[str, ...]:
        return listed(json.loads(self.statement).get("Resource"))


@dataclass(frozen=True)
class Verdict:
    """What the policies of one kind say. `delegated`: they leave the answer to the account's IAM policies."""

    denied: bool
    allowed: bool
    delegated: bool
    grants: tuple[Grant, ...]


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement, taken apart once."""

    text: str
    content: Mapping[str, Any]

    @property
    def allows(self) -> bool:
        return bool(self.content["Effect"] == "Allow")

    @property
    def actions(self) -> tuple[str, ...]:
        return listed(self.content.get("Action"))

    def covers(self, access: Access) -> bool:
        """Whether it speaks about this action on this resource under these conditions."""
        content, action = self.content, access.action.lower()
        if matches_any(_lower(content.get("Action", content.get("NotAction"))), action) != (
            "Action" in content
        ):
            return False
        about = content.get("Resource", content.get("NotResource"))  # a trust policy is about its own role
        if about is not None and matches_any(listed(about), access.resource) != ("Resource" in content):
            return False
        return conditions.hold(content.get("Condition") or {}, dict(access.context))

    def grants(self, action: str) -> tuple[Grant, ...]:
        """Those of its actions that cover this one."""
        written = self.actions or ("NotAction",)
        return tuple(
            Grant(self.text, name) for name in written if matches_any((name.lower(),), action.lower())
        )

    def names(self, principal: Principal) -> str:
        """How it names the principal: "directly", by its "account", or not at all ("")."""
        if "NotPrincipal" in self.content:
            return "" if _named(self.content["NotPrincipal"], principal) else "directly"
        return _named(self.content.get("Principal"), principal)


def _lower(names: Any) -> tuple[str, ...]:
    return tuple(name.lower() for name in listed(names))


def _named(element: Any, principal: Principal) -> str:
    if element == "*":
        return "directly"
    named = {kind: listed(names) for kind, names in (element or {}).items()}
    if principal.service:
        found = principal.service in named.get("Service", ()) or "*" in named.get("AWS", ())
        return "directly" if found else ""
    if {"*", principal.role_arn, principal.session_arn} & set(named.get("AWS", ())):
        return "directly"
    account = {principal.account, f"arn:aws:iam::{principal.account}:root"}
    return "account" if account & set(named.get("AWS", ())) else ""


@lru_cache(maxsize=1024)
def statements(document: str) -> tuple[Statement, ...]:
    """The statements of a policy document."""
    found = listed(json.loads(document).get("Statement"))
    return tuple(Statement(json.dumps(one, sort_keys=True), one) for one in found)


def judge(documents: Iterable[str], access: Access, principal: Principal | None = None) -> Verdict:
    """What these documents say together; without a principal they are policies of an identity."""
    denied = allowed = delegated = False
    grants: list[Grant] = []
    for statement in (one for document in documents for one in statements(document)):
        how = statement.names(principal) if principal else "directly"
        if not how or not statement.covers(access):
            continue
        if not statement.allows:
            denied = True
        else:
            allowed, delegated = allowed or how == "directly", delegated or how == "account"
            grants += statement.grants(access.action)
    return Verdict(denied, allowed, delegated, tuple(grants))
