"""What a target of a rule receives: the event, a part of it, a constant, or a template filled from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rehearsal.engine.account import Unsupported

PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")


def target_input(target: Mapping[str, Any], event: dict[str, Any], *, rule_arn: str, rule_name: str) -> Any:
    """The payload for `target`, as a JSON value; a template that gives no JSON is plain text."""
    if target.get("Input"):
        return json.loads(target["Input"])
    if target.get("InputPath"):
        return at_path(event, target["InputPath"])
    transformer = target.get("InputTransformer")
    if not transformer:
        return event
    paths = transformer.get("InputPathsMap") or {}
    values = {name: at_path(event, path) for name, path in paths.items()} | {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
        "aws.events.event.ingestion-time": event["time"],
    }
    return _fill(transformer["InputTemplate"], values)


def at_path(event: dict[str, Any], path: str) -> Any:
    """The part of the event at a JSON path of names and dots; None where there is none."""
    if path == "$":
        return event
    if not re.fullmatch(r"\$(\.[A-Za-z0-9_\-]+)+", path):
        raise Unsupported(
            f"the input path {path!r}: the local account follows names and dots, such as $.detail.alarmName. "
            "Build it in rehearsal/engine/event_input.py."
        )
    value: Any = event
    for name in path[2:].split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _fill(template: str, values: Mapping[str, Any]) -> Any:
    """Fill the placeholders: as JSON values, or as text inside a JSON string."""
    filled, position, in_string = "", 0, False
    for match in PLACEHOLDER.finditer(template):
        before = template[position : match.start()]
        in_string ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        value = values.get(match[1])
        if match[1] not in values:
            text = match[0]
        elif not in_string:
            text = json.dumps(value)
        else:
            text = json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
        filled, position = filled + before + text, match.end()
    filled += template[position:]
    try:
        return json.loads(filled)
    except ValueError:
        return filled
