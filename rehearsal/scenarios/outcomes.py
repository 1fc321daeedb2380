"""What came of a scenario in numbers, against what its file expects now and once the product can do more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from rehearsal.scenarios.expected import Count, Expected
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome

WORDS = {
    "retrains": "runs started by an alarm",
    "releases": "models live for good",
    "refused": "models refused by the gate",
    "rolled_back": "releases rolled back",
    "failed_runs": "training runs that failed",
    "transforms": "transforms that predicted all of their files",
    "failed_transforms": "transforms that did not",
}

SAID = {
    "no-capacity": "CapacityError",
    "quota": "ResourceLimitExceeded",
    "spot-interruption": "",
    "throttling": "",
}
"""What the reason of a run must say that met a fault; what begins anew or comes later has none."""
WITH_ITS_STEP = re.compile(r"^the pipeline is \w+: \w+: \S")


def as_expected(outcome: Outcome) -> Iterator[Finding]:
    """What the scenario's own file says of now."""
    expected = outcome.scenario.expected
    yield from compared(outcome, expected, expected.model_fields_set | {"failed_runs"})
    yield from _faults(outcome)


def later(outcome: Outcome) -> list[Finding]:
    """What the file says of later: told, never judged."""
    wanted = outcome.scenario.later
    return [*compared(outcome, wanted.expect, wanted.expect.model_fields_set)] if wanted else []


def compared(outcome: Outcome, expected: Expected, asked: Set[str]) -> Iterator[Finding]:
    found = counts(outcome)
    for name, words in WORDS.items():
        wanted: Count = getattr(expected, name)
        if name in asked:
            yield Finding(f"{words}: {wanted}", wanted.holds(found[name]), f"there were {found[name]}")
    fired = fired_alarms(outcome)
    for end in expected.alarms:
        is_there = any(name.endswith(f"-{end}") for name in fired)
        yield Finding(f"the alarm {end} fires", is_there, f"red at some time: {', '.join(fired) or 'none'}")
    for end in expected.silent_alarms:
        red = [name for name in fired if name.endswith(f"-{end}")]
        yield Finding(f"the alarm {end} never fires", not red, f"red at some time: {', '.join(red)}")


def counts(outcome: Outcome) -> dict[str, int]:
    """By the names of `Expected`, from the ledger."""
    deployment = outcome.deployment
    decided, releases = deployment.ledger_bodies("DECISION"), deployment.ledger_bodies("RELEASE")
    gates = [one["verdict"] for one in decided if one["kind"] == "gate"]
    batches = [one["status"] for one in deployment.ledger_bodies("TRANSFORM")]
    return {
        "retrains": sum(run["plan"]["cause"] == "alarm" for run in deployment.ledger_bodies("RUN")),
        "releases": sum(one["outcome"] == "live" for one in releases),
        "refused": gates.count("refused"),
        "rolled_back": sum(one["outcome"] == "rolled-back" for one in releases),
        "failed_runs": gates.count("none"),
        "transforms": batches.count("completed"),
        "failed_transforms": len(batches) - batches.count("completed"),
    }


def fired_alarms(outcome: Outcome) -> list[str]:
    """The names of this deployment's alarms that were red after the first request, each once."""
    prefix, world = f"{outcome.deployment.names.deployment}-", outcome.world
    began = world.answers[0].at if world and world.answers else outcome.scenario.start
    red = (
        entry.facts["alarm"]
        for entry in outcome.deployment.account.journal.of("alarm")
        if entry.facts["new"] == "ALARM" and entry.time >= began
    )
    return list(dict.fromkeys(name for name in red if name.startswith(prefix)))


def _faults(outcome: Outcome) -> Iterator[Finding]:
    """Every fault came to pass; every run that failed is settled with its reason, and people are told."""
    deployment = outcome.deployment
    met = [entry.facts["fault"] for entry in deployment.account.journal.of("fault")]
    if wanted := [fault.kind for fault in outcome.scenario.faults for _ in range(fault.times)]:
        yield Finding(
            "every fault of the scenario came to pass", sorted(met) == sorted(wanted), f"met: {met}"
        )
    yield from _failed_runs(outcome, met)
    yield from _failed_releases(outcome)
    yield from _failed_transforms(outcome)


def _failed_runs(outcome: Outcome, met: list[str]) -> Iterator[Finding]:
    """Settled with the step's own reason, and told."""
    deployment = outcome.deployment
    gates = [one for one in deployment.ledger_bodies("DECISION") if one["kind"] == "gate"]
    ended = [one for one in gates if one["verdict"] == "none"]
    if not ended:
        return
    reasons = [" ".join(one["reasons"]) for one in ended]
    unsaid = [kind for kind in met if not any(SAID[kind] in reason for reason in reasons)]
    mute = [reason for reason in reasons if not WITH_ITS_STEP.search(reason)]
    where = f"not said: {unsaid}; without the step's own reason: {mute}"
    yield Finding("a run that failed is settled with its reason", not unsaid and not mute, where)
    untold = [one["subject"] for one in ended if f"{one['subject']} settled" not in _told(outcome)]
    yield Finding("people are told of a run that failed", not untold, f"nobody heard of {untold}")


def _failed_releases(outcome: Outcome) -> Iterator[Finding]:
    releases = outcome.deployment.ledger_bodies("RELEASE")
    back = [one["release_id"] for one in releases if one["outcome"] in ("rolled-back", "failed")]
    if back:
        untold = [release for release in back if f"release {release} failed" not in _told(outcome)]
        yield Finding("people are told of a release that failed", not untold, f"nobody heard of {untold}")


def _failed_transforms(outcome: Outcome) -> Iterator[Finding]:
    ended = outcome.deployment.ledger_bodies("TRANSFORM")
    failed = [one["job"] for one in ended if one["status"] != "completed"]
    if failed:
        untold = [job for job in failed if f"transform {job}" not in _told(outcome)]
        yield Finding("people are told of a transform that failed", not untold, f"nobody heard of {untold}")


def _told(outcome: Outcome) -> set[str]:
    """What the ledger says that people were told about."""
    return {item["sk"] for item in outcome.deployment.ledger() if item["pk"] == "TOLD"}
