"""Who did what: the journal by kind and by name, whatever kinds there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.journal import Entry
from rehearsal.scenarios.display import LINES

NAMED_BY = {
    "delivery": "rule",
    "event": "detail_type",
    "invocation": "function",
    "job": "step",
    "note": "what",
    "unsupported": "what",
    "dead-letter": "queue",
}
"""The fact that names who acted; of other kinds it is the one called like the kind, or else the first."""
TITLES = {
    "delivery": "rule or queue",
    "invocation": "Lambda function",
    "event": "event",
    "job": "SageMaker job",
}
FOR_MACHINES = ("id", "event_id", "logical_id")
ENDED_BADLY = ("FAILED", "STOPPED", "ROLLBACK")


@dataclass(frozen=True)
class Act:
    """What one name did: how often, how often in vain, when last and what that was."""

    name: str
    count: int
    failed: int
    last: str
    what: str


@dataclass(frozen=True)
class Cast:
    """All acts of one kind."""

    kind: str
    title: str
    acts: tuple[Act, ...]


def stamp(entry: Entry) -> str:
    return f"{entry.time:%Y-%m-%d %H:%M}"


def name_of(entry: Entry) -> str:
    wanted = NAMED_BY.get(entry.kind, entry.kind)
    texts = (value for value in entry.facts.values() if isinstance(value, str) and value)
    return str(entry.facts.get(wanted) or next(texts, entry.kind))


def failed(entry: Entry) -> bool:
    if entry.facts.get("ok") is False or entry.kind in ("dead-letter", "unsupported"):
        return True
    status = str(entry.facts.get("status", "")).upper()
    return any(word in status for word in ENDED_BADLY)


def told(entry: Entry) -> str:
    """The line that a person would read, or the plain facts where the kind has none."""
    line = LINES[entry.kind](entry.facts) if entry.kind in LINES else None
    if line:
        return line
    facts = {**entry.facts}
    facts.pop(NAMED_BY.get(entry.kind, entry.kind), None)
    result = facts.pop("result", None)
    if isinstance(result, dict):
        facts |= result
    plain = ((n, v) for n, v in facts.items() if isinstance(v, str | int | float) and n not in FOR_MACHINES)
    return ", ".join(f"{name} {_short(value)}" for name, value in plain if value not in ("", True))[:200]


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.rsplit(":", 1)[-1] if text.startswith("arn:") else text


def casts(entries: Sequence[Entry], idle: Iterable[tuple[str, str, str]] = ()) -> list[Cast]:
    """The acts of every kind in the order of first appearance; `idle` names who never acted: kind, name, what."""
    by_kind: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        by_kind.setdefault(entry.kind, {}).setdefault(name_of(entry), []).append(entry)
    rows = {kind: [_act(name, found) for name, found in names.items()] for kind, names in by_kind.items()}
    for kind, name, what in idle:
        rows.setdefault(kind, []).append(Act(name, 0, 0, "", what))
    return [
        Cast(kind, TITLES.get(kind, kind), tuple(sorted(acts, key=lambda act: act.name)))
        for kind, acts in rows.items()
    ]


def _act(name: str, entries: Sequence[Entry]) -> Act:
    return Act(name, len(entries), sum(map(failed, entries)), stamp(entries[-1]), told(entries[-1]))
