"""Do the alarms say what happened? Their states against the journal, the loss alarm against the evidence."""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome

UNTOLD = "INSUFFICIENT_DATA"
"""The state of an alarm that never changed."""


def agree(outcome: Outcome) -> Iterator[Finding]:
    found = list(disagreements(outcome))
    yield Finding("every alarm is in the state that the journal tells", not found, "; ".join(found))


def disagreements(outcome: Outcome) -> Iterator[str]:
    """A sentence for each alarm whose state is not what the journal tells."""
    deployment = outcome.deployment
    journal, prefix = deployment.account.journal, f"{deployment.names.deployment}-"
    pages = deployment.account.client("cloudwatch").get_paginator("describe_alarms")
    told = {entry.facts["alarm"]: entry.facts["new"] for entry in journal.of("alarm")}
    for page in pages.paginate(AlarmNamePrefix=prefix):
        for alarm in page["MetricAlarms"]:
            name, state = alarm["AlarmName"], alarm["StateValue"]
            if state != told.get(name, UNTOLD):
                yield f"{name} is {state}, the journal last said {told.get(name, UNTOLD)}"
            if name == f"{prefix}loss":
                yield from _loss(outcome, name)


def _loss(outcome: Outcome, name: str) -> Iterator[str]:
    fired = any(
        entry.facts["alarm"] == name and entry.facts["new"] == "ALARM"
        for entry in outcome.deployment.account.journal.of("alarm")
    )
    highest = max((level for _, level in levels(outcome)), default=0.0)
    if fired != (highest >= 1):
        yield f"{name} {'fired' if fired else 'never fired'}, the highest evidence was {highest:.4f} of 1"


def levels(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Each day's evidence, 1 being the threshold, as `check_drift` answered when its schedule ran it."""
    function = outcome.deployment.names.function("check_drift")
    for entry in outcome.deployment.account.journal.of("invocation"):
        result = entry.facts.get("result")
        if entry.facts["function"] == function and isinstance(result, dict):
            level = (result.get("evidence") or {}).get("level")
            if level is not None:
                yield f"{entry.time:%Y-%m-%dT%H:%M:%SZ}", level
