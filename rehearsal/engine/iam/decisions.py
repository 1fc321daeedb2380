"""How AWS combines policies into one answer, within one account; the answer's words are AWS's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rehearsal.engine.iam.policies import Access, Grant, Principal, Verdict, judge

NOTHING = Verdict(denied=False, allowed=False, delegated=False, grants=())


@dataclass(frozen=True)
class Policies:
    """Every document that has a say. `must_agree`: of the resource, as with KMS keys and the trust of roles."""

    identity: tuple[str, ...] = ()
    boundary: str | None = None
    resource: tuple[str, ...] = ()
    must_agree: bool = False


@dataclass(frozen=True)
class Decision:
    """Whether the request goes on, by which grants of the identity, or why not."""

    allowed: bool
    reason: str = ""
    grants: tuple[Grant, ...] = ()


@lru_cache(maxsize=16_384)
def decide(policies: Policies, principal: Principal, access: Access) -> Decision:
    """An explicit Deny anywhere wins. Then the identity's or the resource's policy allows; a boundary only limits.

    The policies are part of the question, so a changed policy is another question: nothing is remembered too long.
    """
    identity = judge(policies.identity, access)
    resource = judge(policies.resource, access, principal)
    boundary = judge([policies.boundary], access) if policies.boundary else None
    for kind, verdict in (
        ("a permissions boundary", boundary or NOTHING),
        ("an identity-based policy", identity),
        ("a resource-based policy", resource),
    ):
        if verdict.denied:
            return Decision(False, f"with an explicit deny in {kind}")
    by_identity = identity.allowed and (resource.delegated or not policies.must_agree)
    if not (by_identity or resource.allowed):
        return _silent(policies, principal, access, resource)
    if boundary and not boundary.allowed:
        return _no("permissions boundary", access)
    return Decision(True, grants=identity.grants if by_identity else ())


def _silent(policies: Policies, principal: Principal, access: Access, resource: Verdict) -> Decision:
    """Nobody allows it: AWS names the kind of policy that could have."""
    is_up_to_resource = principal.service or (policies.must_agree and not resource.delegated)
    return _no("resource-based policy" if is_up_to_resource else "identity-based policy", access)


def _no(kind: str, access: Access) -> Decision:
    return Decision(False, f"because no {kind} allows the {access.action} action")


def refusal(principal: Principal, access: Access, decision: Decision) -> str:
    """The sentence of an AccessDenied error."""
    resource = f'"{access.resource}"' if access.action.startswith("s3:") else access.resource
    where = "" if access.resource == "*" else f" on resource: {resource}"
    return f"User: {principal.name} is not authorized to perform: {access.action}{where} {decision.reason}"
