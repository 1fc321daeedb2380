"""The quick way: deploy a mutant into a fork of the stage, and give it all that the recorded life gave.

What a fork says is what the life would have come to: up to the first question that is answered differently, the first
event that goes elsewhere and the first alarm that sees nothing the two lives are one and the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import domain.settings
from domain.settings import MissingSettingError, Settings, WrongSettingError
from rehearsal.engine import functions, routing
from rehearsal.engine.delivery import pipelines
from rehearsal.engine.functions import Outcome as Invoked
from rehearsal.engine.moto_seams import events as event_seam
from rehearsal.scenarios import coverage
from rehearsal.scenarios.promises import check_promises
from rehearsal.scenarios.scaling import check_scaling
from rehearsal.scenarios.strangers import check_strangers
from rehearsal.scenarios.unseen import check_unseen
from rehearsal.sweep.answers import Answers
from rehearsal.sweep.mutants import Mutant
from rehearsal.sweep.stage import NotDeployed, Stage
from rehearsal.sweep.verdict import Verdict

ONLY_POLICIES = {
    "statement", "action", "resource", "wildcard", "policy condition", "principal", "trust", "KMS grant",
    "permission",
}  # fmt: skip
"""Kinds that change nothing but the answers to questions."""


@dataclass(frozen=True)
class Delivered:
    """Where one event went, and as what."""

    event_id: str
    rule: str
    target: str
    ok: bool
    error: str
    payload: str


class Trial:
    """Judges mutants against the stage as it is without them."""

    def __init__(self, stage: Stage, templates: dict[str, dict[str, Any]]) -> None:
        self._stage, self._templates = stage, templates
        self._answers = Answers(
            stage.account, f"{stage.outcome.deployment.config.name}-", stage.recording.questions
        )
        self._resources = set(stage.recording.names.values())
        self._variables = {one["FunctionName"]: _variables(one) for one in self._functions()}
        self.deliveries: set[Delivered] = set()
        """What the stage itself delivers; looked up in a fork, for it moves things."""
        self._now: set[Delivered] = set()

    def baseline(self) -> dict[str, Any]:
        """For a fork of the stage without any change: is it the account of the recording?"""
        return {
            "differs": [str(question) for question in self._answers.different()],
            "red": [list(one) for one in self._of_what_is_deployed()],
            "deliveries": [list(vars(one).values()) for one in self._deliver()],
        }

    def take_baseline(self, told: dict[str, Any]) -> None:
        self.deliveries = {Delivered(*values) for values in told["deliveries"]}

    def judge(self, mutant: Mutant) -> Verdict:
        """For a fork of the stage, which it leaves broken."""
        try:
            self._stage.update(mutant.stack, mutant.applied(self._templates[mutant.stack]))
        except NotDeployed as refused:
            return Verdict("caught", "the stack does not come up", str(refused))
        finally:
            self._stage.stop_containers()
        found = next(self._findings(), None)
        if found:
            return Verdict("caught", *found)
        return self._unchanged(mutant)

    def _findings(self) -> Iterator[tuple[str, str]]:
        yield from self._answers.findings()
        yield from self._misled()
        yield from self._of_what_is_deployed()
        yield from self._misdelivered()

    def _unchanged(self, mutant: Mutant) -> Verdict:
        """Nothing is red; that is the last word only where nothing else could have changed."""
        if self._answers.different():
            return Verdict("open", where="an answer changed that something else may make good")
        if mutant.kind in ONLY_POLICIES:
            return Verdict("survived", where="every question is answered as before")
        is_about_a_rule = mutant.kind == "pattern" or "Targets" in mutant.path
        if is_about_a_rule and self._now == self.deliveries:
            return Verdict("survived", where="every event goes where it went")
        return Verdict("open")

    def _of_what_is_deployed(self) -> Iterator[tuple[str, str]]:
        """The expectations that look at the account as it stands, not at what happened."""
        outcome = self._stage.outcome
        yield from (("every alarm saw its metric", told) for told in coverage.silent_alarms(outcome))
        looks = (coverage.alarms_are_wired, check_strangers, check_unseen, check_promises, check_scaling)
        for expect in looks:
            yield from ((one.expectation, one.where) for one in expect(outcome) if not one.held)

    def _misled(self) -> Iterator[tuple[str, str]]:
        """A handler that cannot read its environment fails; one that is sent to another resource asks for that."""
        for function in self._functions():
            variables, settings = _variables(function), _settings(function["Handler"])
            try:
                if settings:
                    settings.from_env(variables)
            except (MissingSettingError, WrongSettingError) as error:
                yield "no function fails", f"{function['FunctionName']}: {error}"
            before = self._variables.get(function["FunctionName"], {})
            for name, value in before.items():
                # of two variables of one value nobody knows which of them a call went by
                is_known = self._is_resource(value) and list(before.values()).count(value) == 1
                if is_known and variables.get(name, value) != value:
                    yield from self._answers.instead(function["Role"], value, variables[name])

    def _is_resource(self, value: str) -> bool:
        return bool({value, value.rsplit("/", 1)[-1]} & self._resources)

    def _functions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._stage.account.client("lambda").list_functions()["Functions"]
        return found

    def _misdelivered(self) -> Iterator[tuple[str, str]]:
        self._now = set(self._deliver())
        neighbours = set(self._stage.recording.near_misses)
        for one in sorted(self._now - self.deliveries, key=str):
            if one.event_id in neighbours:
                yield "no rule takes a neighbour's event", f"{one.rule} took {one.event_id}"
            if not one.ok:
                yield "every delivery arrives", f"{one.rule} -> {one.target}: {one.error}"
        idle = {one.rule for one in self.deliveries if one.ok} - {one.rule for one in self._now if one.ok}
        if idle:
            yield "every rule delivered an event", f"never matched: {', '.join(sorted(idle))}"

    def _deliver(self) -> list[Delivered]:
        """Send every recorded event and fire every schedule; functions and pipelines only take note."""
        account, payloads = self._stage.account, []

        def note(_: Any, name: str, event: Any, **__: Any) -> Invoked:
            payloads.append(f"{name.rsplit(':', 1)[-1]} {json.dumps(_without_ids(event), sort_keys=True)}")
            return Invoked(True, None)

        functions.invoke = note  # type: ignore[assignment]
        pipelines.hold(account)
        before, found = len(account.journal.entries), []
        for event in self._stage.recording.events:
            routing.route(account, event)
            found += self._settled(before, payloads)
            before = len(account.journal.entries)
            payloads.clear()
        for rule in event_seam.rules(account):
            if rule.schedule and rule.enabled:
                routing.fire(account, rule)
        return found + self._settled(before, payloads, every=False)

    def _settled(self, before: int, payloads: list[str], *, every: bool = True) -> list[Delivered]:
        account = self._stage.account
        account.pump()
        told = [entry for entry in account.journal.entries[before:] if entry.kind == "told"]
        payloads = [*payloads, *(entry.facts["message"] for entry in told)]
        return [
            Delivered(
                entry.facts.get("event_id", "") if every else "schedule",
                entry.facts["rule"],
                entry.facts["target"],
                entry.facts["ok"],
                entry.facts.get("error", ""),
                "\n".join(sorted(payloads)),
            )
            for entry in account.journal.entries[before:]
            if entry.kind == "delivery"
        ]


def _variables(function: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = function.get("Environment", {}).get("Variables", {})
    return found


def _settings(handler: str) -> type[Settings] | None:
    """`lambdas.check_drift.handler` reads CheckDriftSettings."""
    verb = handler.split(".")[-2] if "." in handler else ""
    return getattr(domain.settings, "".join(part.title() for part in verb.split("_")) + "Settings", None)


DRAWN = ("messageId", "receiptHandle", "eventSourceARN", "attributes", "md5OfBody", "id", "time")


def _without_ids(event: Any) -> Any:
    """A payload without what is drawn anew for each message; a queue's body is JSON in JSON."""
    if isinstance(event, dict):
        return {key: _without_ids(value) for key, value in event.items() if key not in DRAWN}
    if isinstance(event, str) and event.startswith("{"):
        return _without_ids(json.loads(event))
    return [_without_ids(one) for one in event] if isinstance(event, list) else event
