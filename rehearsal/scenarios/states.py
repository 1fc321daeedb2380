"""Do the alarms say what happened? Their states against the journal, those of the watch against what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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
            found = FOUND.get(name.removeprefix(prefix))
            if found:
                yield from _watched(outcome, name, found)


def _watched(outcome: Outcome, name: str, found: Callable[[dict[str, Any]], float]) -> Iterator[str]:
    fired = any(
        entry.facts["alarm"] == name and entry.facts["new"] == "ALARM"
        for entry in outcome.deployment.account.journal.of("alarm")
    )
    highest = max((found(report) for _, report in _reports(outcome)), default=0.0)
    if fired != (highest >= 1):
        yield f"{name} {'fired' if fired else 'never fired'}, the highest that was found is {highest:.4f} of 1"


FOUND: dict[str, Callable[[dict[str, Any]], float]] = {
    "loss": lambda report: report["evidence"]["level"],
    "traffic": lambda report: max(one["level"] for one in report["traffic"]),
    "invalid": lambda report: len(report["invalid"]),
}
"""What each alarm looks at, as the day's report has it; red from 1 on."""


def levels(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Each day's evidence on the loss, 1 being the threshold."""
    for at, report in _reports(outcome):
        yield at, FOUND["loss"](report)


def _reports(outcome: Outcome) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `check_drift` answered when its schedule ran it, once a model was live."""
    function = outcome.deployment.names.function("check_drift")
    for entry in outcome.deployment.account.journal.of("invocation"):
        result = entry.facts.get("result")
        if entry.facts["function"] == function and isinstance(result, dict) and result.get("evidence"):
            yield f"{entry.time:%Y-%m-%dT%H:%M:%SZ}", result
