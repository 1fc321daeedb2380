"""Whether a request may go on: every access that it needs, judged by all policies that have a say, and kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from rehearsal.engine.iam import calls, keys
from rehearsal.engine.iam.calls import Call
from rehearsal.engine.iam.decisions import Decision, Policies, decide, refusal
from rehearsal.engine.iam.policies import Access, Grant, Principal, judge
from rehearsal.engine.iam.resources import Where
from rehearsal.engine.moto_seams import identity, protected

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass(frozen=True)
class Denial:
    """A refused access, in AWS's words."""

    action: str
    resource: str
    message: str


Use = Literal["to go on", "to choose", "to assume"]
"""What hangs on an answer: the request itself, which of two ways is taken, or whether a service gets the role."""


@dataclass(frozen=True)
class Question:
    """Something that was asked of the deployed policies."""

    use: Use
    principal: Principal
    access: Access
    by_resource: bool
    """Whether the resource had a policy then that was asked too."""


@dataclass
class Uses:
    """Which grants of which role let something through so far."""

    by_role: dict[str, set[Grant]] = field(default_factory=lambda: defaultdict(set))
    questions: dict[Question, bool] | None = None
    """Every question with its answer, if somebody wants to ask them again: see `record`."""

    def note(self, question: Question, *, allowed: bool) -> None:
        if self.questions is not None:
            self.questions[question] = allowed


_uses: WeakKeyDictionary[Account, Uses] = WeakKeyDictionary()


def uses(account: Account) -> Uses:
    return _uses.setdefault(account, Uses())


def record(account: Account) -> dict[Question, bool]:
    """From now on keep every question and its answer; returns where they are kept."""
    kept = uses(account).questions = {}
    return kept


def session(account: Account, role_arn: str, name: str) -> Principal:
    """A session of a role, as a service opens it."""
    role = role_arn.rsplit("/", 1)[-1]
    arn = f"arn:aws:sts::{account.id}:assumed-role/{role}/{name}"
    return Principal(account.id, role_arn=role_arn, session_arn=arn)


def service(account: Account, name: str) -> Principal:
    """An AWS service that acts by its own name, such as events.amazonaws.com."""
    return Principal(account.id, service=name)


def trusts(account: Account, role_arn: str, service_name: str) -> bool:
    """Whether the role lets this service assume it."""
    documents = identity.role_documents(account, role_arn)
    if documents is None:
        return False
    access = Access("sts:AssumeRole", role_arn, (("aws:sourceaccount", (account.id,)),))
    principal = service(account, service_name)
    verdict = judge([documents.trust], access, principal)
    allowed = verdict.allowed and not verdict.denied
    uses(account).note(Question("to assume", principal, access, True), allowed=allowed)
    return allowed


def denial_of_call(account: Account, principal: Principal, call: Call) -> Denial | None:
    """The first thing that the principal may not do of all that the call needs."""
    given = keys.of_request(call)
    for access in calls.accesses(call, Where(account.id, account.region)):
        found = denial(account, principal, access, key=given if access.action == "s3:PutObject" else None)
        if found:
            return found
    return _volume_denial(account, principal, call)


def denial(
    account: Account,
    principal: Principal,
    access: Access,
    *,
    source_arn: str | None = None,
    key: str | None = None,
) -> Denial | None:
    """Why the principal may not do this, or None; the uses of KMS that go with it included.

    `source_arn` is the resource on whose behalf a service acts; `key` the KMS key that the request itself names.
    """
    access = _with_context(account, principal, access, source_arn)
    for who, one in ((principal, access), *keys.needed(account, principal, access, key)):
        decision = decided(account, who, one, "to go on")
        if not decision.allowed:
            return _keep(account, who, Denial(one.action, one.resource, refusal(who, one, decision)))
    return None


def decided(account: Account, principal: Principal, access: Access, use: Use = "to choose") -> Decision:
    """The answer to one access, without the keys that it may need; what allowed it counts as used."""
    access = _with_context(account, principal, access, None)
    policies = _policies(account, principal, access)
    decision = decide(policies, principal, access)
    uses(account).note(Question(use, principal, access, bool(policies.resource)), allowed=decision.allowed)
    if decision.allowed:
        uses(account).by_role[principal.role_arn].update(decision.grants)
    return decision


def imagined(account: Account, principal: Principal, access: Access) -> Decision:
    """The answer that somebody would get who does not ask: nothing is kept of it."""
    access = _with_context(account, principal, access, None)
    return decide(_policies(account, principal, access), principal, access)


def grants(account: Account, document: str, access: Access) -> bool:
    """Whether this policy of a role alone would let it through, whatever else says; nothing is kept of it."""
    who = session(account, f"arn:aws:iam::{account.id}:role/imagined", "imagined")
    verdict = judge([document], _with_context(account, who, access, None))
    return verdict.allowed and not verdict.denied


def imagined_refusal(
    account: Account, principal: Principal, access: Access, *, source_arn: str | None = None
) -> str:
    """Why that would not be let through, the keys that it needs included; "" if it would."""
    access = _with_context(account, principal, access, source_arn)
    for who, one in ((principal, access), *keys.needed(account, principal, access)):
        decision = imagined(account, who, one)
        if not decision.allowed:
            return refusal(who, one, decision)
    return ""


def _policies(account: Account, principal: Principal, access: Access) -> Policies:
    documents = identity.role_documents(account, principal.role_arn) if principal.role_arn else None
    resource = protected.policy(account, access.resource)
    return Policies(
        identity=documents.permissions if documents else (),
        boundary=documents.boundary if documents else None,
        resource=(resource,) if resource else (),
        must_agree=access.action == "sts:AssumeRole"
        or (access.action.startswith("kms:") and ":key/" in access.resource),
    )


def _volume_denial(account: Account, principal: Principal, call: Call) -> Denial | None:
    """SageMaker makes its grant for the volumes' key under the role that it is given, or else under the caller."""
    key = keys.of_volumes(account, call)
    if key is None:
        return None
    via = (("kms:viaservice", (f"sagemaker.{account.region}.amazonaws.com",)),)
    role_arn = str(call.parameters.get("RoleArn", ""))
    if role_arn:
        role = session(account, role_arn, "SageMaker")
        if decided(account, role, Access("kms:CreateGrant", key, via)).allowed:
            return None
        return denial(account, principal, Access("kms:CreateGrant", key, via))
    wanted = (Access(f"kms:{verb}", key, via) for verb in ("CreateGrant", "DescribeKey"))
    return next((found for access in wanted if (found := denial(account, principal, access))), None)


def _with_context(account: Account, principal: Principal, access: Access, source_arn: str | None) -> Access:
    """Add the keys that AWS fills in for every request; local HTTP counts as TLS."""
    context = {
        "aws:securetransport": ("true",),
        "aws:requestedregion": (account.region,),
        **dict(access.context),
    }
    is_service = bool(principal.service)
    context["aws:principalisawsservice"] = (str(is_service).lower(),)
    if is_service:
        context["aws:principalservicename"] = (principal.service,)
    else:
        context["aws:principalarn"] = (principal.role_arn,)
        context["aws:principalaccount"] = (account.id,)
        context["aws:principaltype"] = ("AssumedRole",)
    if source_arn:
        context["aws:sourcearn"] = (source_arn,)
        context["aws:sourceaccount"] = (account.id,)
        if principal.service.startswith("cloudwatch."):
            context["aws:sourceowner"] = (account.id,)  # the default policy of a topic asks for it
    return Access(access.action, access.resource, tuple(sorted(context.items())))


def _keep(account: Account, principal: Principal, found: Denial) -> Denial:
    account.journal.write(
        "denied",
        principal=principal.role_arn.rsplit("/", 1)[-1] or principal.service,
        action=found.action,
        resource=found.resource,
        message=found.message,
    )
    return found
