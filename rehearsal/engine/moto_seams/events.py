"""Private touches on moto's EventBridge and S3: the deployed rules, and where new events go."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import moto.s3.notifications as s3_notifications
from moto.events.exceptions import ValidationException
from moto.events.models import EventPattern, EventsBackend, Rule, events_backends
from moto.events.utils import EventMessageType

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Event = dict[str, Any]
PutEvent = Callable[
    [str, str, dict[str, Any], list[str]], str
]  # source, detail type, detail, resources -> event id
MAXIMUM_ENTRIES = 10


@dataclass(frozen=True)
class DeployedRule:
    """A rule of the default bus with its targets."""

    name: str
    arn: str
    enabled: bool
    schedule: str | None
    created_at: datetime
    targets: Sequence[Mapping[str, Any]]
    pattern: EventPattern

    @property
    def written(self) -> dict[str, Any]:
        """The pattern as it was written; empty for a rule that has a schedule."""
        return dict(self.pattern.get_pattern())

    def matches(self, event: Event) -> bool:
        """Whether the rule has a pattern and the event fits it."""
        return bool(self.pattern.get_pattern()) and self.pattern.matches_event(cast(EventMessageType, event))


def rules(account: Account) -> list[DeployedRule]:
    """The rules of the default bus, oldest first."""
    return [_deployed(rule) for rule in _rules(account)]


def scheduled(account: Account) -> list[DeployedRule]:
    """Those that have a schedule: they are asked for at every step of the clock."""
    return [_deployed(rule) for rule in _rules(account) if rule.scheduled_expression]


def _rules(account: Account) -> list[Rule]:
    return list(events_backends[account.id][account.region].event_buses["default"].rules.values())


def _deployed(rule: Rule) -> DeployedRule:
    return DeployedRule(
        rule.name,
        rule.arn,
        rule.state.startswith("ENABLED"),
        rule.scheduled_expression,
        rule.rehearsal_created_at,  # type: ignore[attr-defined]
        tuple(rule.targets),
        rule.event_pattern,
    )


def install(account: Account, put_event: PutEvent, refuse_bus: Callable[[str], None]) -> None:
    """Send PutEvents and the events of S3 buckets to `put_event`; name other buses to `refuse_bus`."""

    def put_events(_: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(events) > MAXIMUM_ENTRIES:
            raise ValidationException(
                f"1 validation error detected: Value at 'entries' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAXIMUM_ENTRIES}"
            )
        return [_put(entry, put_event, refuse_bus) for entry in events]

    def from_bucket(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        detail_type = s3_notifications._detail_type(event_name)
        if detail_type not in ("Object Created", "Object Deleted"):
            return  # moto reports tags on every put, AWS does not
        put_event("aws.s3", detail_type, _s3_detail(account_id, bucket, event_name, key), [bucket.arn])

    def put_rule(backend: EventsBackend, name: str, *args: Any, **more: Any) -> Rule:
        before = backend.event_buses["default"].rules.get(name)
        rule: Rule = original_put_rule(backend, name, *args, **more)
        same = before is not None and before.scheduled_expression == rule.scheduled_expression
        rule.rehearsal_created_at = before.rehearsal_created_at if same else datetime.now(UTC)  # type: ignore[attr-defined, union-attr]
        return rule

    original_put_rule = replace(account, EventsBackend, "put_rule", put_rule)
    replace(account, EventsBackend, "put_events", put_events)
    replace(account, s3_notifications, "_send_event_bridge_message", from_bucket)
    _match_arrays_of_objects(account)


def _put(entry: dict[str, Any], put_event: PutEvent, refuse_bus: Callable[[str], None]) -> dict[str, Any]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
    if entry["Source"].startswith("aws."):
        reason = "Not authorized for the source."
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": reason}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    bus = (entry.get("EventBusName") or "default").rsplit("/", 1)[-1]
    if bus != "default":
        refuse_bus(bus)
        return {"ErrorCode": "InternalFailure", "ErrorMessage": f"the local account has no event bus {bus}"}
    return {"EventId": put_event(entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [])}


def _s3_detail(account_id: str, bucket: Any, event_name: str, key: Any) -> dict[str, Any]:
    stored = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": "0" * 16}
    if bucket.is_versioned:
        stored["version-id"] = key.version_id
    reasons = {"Put": "PutObject", "CompleteMultipartUpload": "CompleteMultipartUpload", "Copy": "CopyObject"}
    operation = event_name.rsplit(":", 1)[-1]
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": stored,
        "request-id": "LOCAL",
        "requester": account_id,
        "source-ip-address": "127.0.0.1",
        "reason": reasons.get(operation, "DeleteObject" if "Removed" in event_name else operation),
    }


def _match_arrays_of_objects(account: Account) -> None:
    """EventBridge looks into each object of an array; moto does not. (Documented: "Arrays in event patterns".)"""

    def matches_event(pattern: EventPattern, event: Event) -> bool:
        return all_of(pattern, pattern.get_pattern(), json.loads(json.dumps(event)))

    def all_of(pattern: EventPattern, node: Mapping[str, Any], value: Any) -> bool:
        if isinstance(value, list):
            return any(all_of(pattern, node, item) for item in value)
        here = value if isinstance(value, dict) else {}
        return all(one_of(pattern, key, expected, here) for key, expected in node.items())

    def one_of(pattern: EventPattern, key: str, expected: Any, here: dict[str, Any]) -> bool:
        if key == "$or":
            return any(all_of(pattern, alternative, here) for alternative in expected)
        if isinstance(expected, dict):
            return all_of(pattern, expected, here.get(key))
        return pattern._does_event_match({key: here[key]} if key in here else {}, {key: expected})

    replace(account, EventPattern, "matches_event", matches_event)
