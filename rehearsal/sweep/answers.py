"""The recorded questions, asked again of the policies that are deployed now."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from rehearsal.engine import Account
from rehearsal.engine.iam import enforcement, grants
from rehearsal.engine.iam.enforcement import Question
from rehearsal.engine.moto_seams import identity, protected
from rehearsal.scenarios import unused_grants

State = dict[str, object]
"""Every document that had a say, by role or by resource."""


class Answers:
    """Asks again only what a changed document has a say in. `prefix` begins the names of this deployment's roles."""

    def __init__(self, account: Account, prefix: str, questions: Mapping[Question, bool]) -> None:
        self._account, self._prefix, self._recorded = account, prefix, questions
        self._about: dict[str, list[Question]] = defaultdict(list)
        for question in questions:
            # a policy that came after the question had no say in it
            owner = _owner(question.access.resource) if question.by_resource else ""
            for about in {question.principal.role_arn, owner} - {""}:
                self._about[about].append(question)
        self._before = self._documents()
        self._idle = self._unused(self._before)

    def different(self) -> list[Question]:
        """The questions with another answer than the recorded one."""
        return [question for question, allowed in self._asked() if allowed != self._recorded[question]]

    def findings(self) -> Iterator[tuple[str, str]]:
        """What the expectations on permissions would say."""
        for question in self.different():
            lost = self._recorded[question]
            who = question.principal.role_arn.rsplit("/", 1)[-1] or question.principal.service
            if lost and question.use == "to assume":
                yield "the role can be assumed", f"{who} {question.access.resource}"
            elif lost and question.use == "to go on":
                yield "no call was denied", f"{who} {question.access.action} on {question.access.resource}"
        idle = self._unused(self._changed())
        for found in sorted(idle - self._idle):
            yield "every grant is used, or says why not", found
        for found in sorted(self._idle - idle):
            if found.startswith(STALE):
                yield "every reason for an unused grant is needed", found
            else:  # the standard scenario's own gate says that it is used there
                yield "no call was denied", f"{found}, which the standard scenario alone uses"

    def instead(self, role_arn: str, resource: str, another: str) -> Iterator[tuple[str, str]]:
        """What would be denied to the role if it asked for another resource wherever it asked for this one."""
        for question in self._about[role_arn]:
            access = question.access
            asked = swapped(access.resource, resource, another)
            if asked != access.resource:
                instead = replace(access, resource=asked)
                if not enforcement.imagined(self._account, question.principal, instead).allowed:
                    yield "no call was denied", f"{role_arn.rsplit('/', 1)[-1]} {access.action} on {asked}"

    def _asked(self) -> Iterator[tuple[Question, bool]]:
        for question in dict.fromkeys(one for about in self._changed() for one in self._about[about]):
            yield question, self._ask(question)

    def _changed(self) -> list[str]:
        now = self._documents()
        return [about for about, before in self._before.items() if now[about] != before]

    def _ask(self, question: Question) -> bool:
        access, account = question.access, self._account
        if question.use == "to assume":
            return enforcement.trusts(account, access.resource, question.principal.service)
        return enforcement.decided(account, question.principal, access, question.use).allowed

    def _documents(self) -> State:
        return {about: self._document(about) for about in self._about}

    def _document(self, about: str) -> object:
        if ":role/" in about:
            return identity.role_documents(self._account, about)
        return protected.policy(self._account, about)

    def _unused(self, roles: Iterable[str]) -> set[str]:
        """What the gate on unused grants says of the whole recorded life, where only these roles are not as before."""
        used = enforcement.uses(self._account).by_role
        for role in roles:
            used[role].clear()
            for question in self._about[role]:
                self._ask(question)
        report = [one for one in grants.report(self._account) if one.role.startswith(self._prefix)]
        return set(unused_grants.unexplained(report)) | {
            f"{STALE}{one}" for one in unused_grants.stale(report)
        }


STALE = "stale: "


def swapped(arn: str, resource: str, another: str) -> str:
    """The ARN with another resource where it names this one, by its whole ARN or as one of its parts."""
    if resource.startswith("arn:"):
        return another + arn.removeprefix(resource) if f"{arn}/".startswith(f"{resource}/") else arn
    return "".join(another if part == resource else part for part in re.split("([:/])", arn))


def _owner(resource: str) -> str:
    """The resource that has the policy: of an object its bucket."""
    return resource.partition("/")[0] if resource.startswith("arn:aws:s3:::") else resource
