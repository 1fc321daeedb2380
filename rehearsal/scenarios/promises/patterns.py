"""Which states each rule must take, and which it must leave: also those that a good life never comes to."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.delivery import S3Zip
from config.schema import Config
from rehearsal.engine.moto_seams import events as event_seam
from rehearsal.engine.moto_seams.events import DeployedRule
from rehearsal.scenarios.promises.deployed import Deployed


@dataclass(frozen=True)
class States:
    """What a field of an event's detail may say: the rule takes some of it."""

    field: tuple[str, ...]
    taken: tuple[str, ...]
    left: tuple[str, ...]


OF_ALARMS = States(("state", "value"), ("ALARM",), ("OK", "INSUFFICIENT_DATA"))
OF_DELIVERIES = ("RESUMED", "CANCELED", "STOPPED", "SUPERSEDED", "SUCCEEDED")
RULES = {
    "OnServingSettled": States(
        ("status-details", "status"),
        ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"),
    ),
    "OnDrift": OF_ALARMS,
    "OnApproval": States(("ModelApprovalStatus",), ("Approved", "Rejected"), ("PendingManualApproval",)),
    "OnPipelineEnd": States(
        ("currentPipelineExecutionStatus",), ("Succeeded", "Failed", "Stopped"), ("Executing", "Stopping")
    ),
    "OnDeliveryWaits": States(("state",), ("STARTED",), ("FAILED", "SUCCEEDED", "ABANDONED")),
}
"""By a part of the rule's logical id; those of every way to serve."""
OF_A_MODE = {
    "realtime": {"OnRollbackAlarm": OF_ALARMS},
    "batch": {
        "OnTransformEnd": States(
            ("TransformJobStatus",), ("Completed", "Failed", "Stopped"), ("InProgress", "Stopping")
        )
    },
}
OF_THE_DELIVERY = {"OnFailure": States(("state",), ("FAILED",), ("STARTED", *OF_DELIVERIES))}


def of(config: Config) -> dict[str, States]:
    """Of the rules that this configuration deploys."""
    return {**RULES, **OF_A_MODE.get(config.serving.mode, {})}


def _of_the_delivery(deployed: Deployed) -> dict[str, States]:
    source = deployed.delivery.source if deployed.delivery else None
    if source is None or source.connection or source.codecommit:
        return OF_THE_DELIVERY  # triggers and branches are tried by tests/engine/test_delivery_triggers.py
    key = (source.s3 or S3Zip()).key
    return {
        **OF_THE_DELIVERY,
        "OnPush": States(("object", "key"), (key,), (f"{key}.part", f"another-{key}", f"old/{key}")),
    }


def wrong(deployed: Deployed) -> Iterator[str]:
    logical = {one.id: one.logical_id for one in deployed.of_type("AWS::Events::Rule")}
    rules = [rule for rule in event_seam.rules(deployed.account) if rule.name in logical]
    has_delivery = any(deployed.is_delivery(one) for one in deployed.resources)
    wanted = {**of(deployed.config), **(_of_the_delivery(deployed) if has_delivery else {})}
    for label, states in wanted.items():
        found = [rule for rule in rules if label in logical[rule.name]]
        if not found:
            yield f"there is no rule {label}"
        for rule in found:
            yield from _wrong_of(rule, states)
    for rule in rules:
        if not rule.enabled:
            yield f"{rule.name} is disabled"


def _wrong_of(rule: DeployedRule, states: States) -> Iterator[str]:
    event = fitting(rule.written)
    for state in (*states.taken, *states.left):
        if rule.matches(said(event, states.field, state)) != (state in states.taken):
            yield f"{rule.name} {'leaves' if state in states.taken else 'takes'} {state}"


def fitting(pattern: dict[str, Any]) -> dict[str, Any]:
    """An event that the pattern takes: of each field the first value that it allows."""
    return {
        name: fitting(node) if isinstance(node, dict) else _value(node[0]) for name, node in pattern.items()
    }


def _value(allowed: Any) -> Any:
    """Of {"prefix": ...} and the like what it names."""
    return next(iter(allowed.values())) if isinstance(allowed, dict) else allowed


def said(event: dict[str, Any], field: tuple[str, ...], state: str) -> dict[str, Any]:
    """The event with another state in its detail."""
    changed = copy.deepcopy(event)
    place = changed.setdefault("detail", {})
    for part in field[:-1]:
        place = place.setdefault(part, {})
    place[field[-1]] = state
    return changed
