"""What happened in the local account, in order: the only source of reports and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One thing that happened: `kind` names it, `facts` say what (plain JSON values)."""

    time: datetime
    kind: str
    facts: dict[str, Any]


@dataclass
class Journal:
    """An append-only list of entries; listeners see each one as it is written."""

    now: Callable[[], datetime]
    entries: list[Entry] = field(default_factory=list)
    listeners: list[Callable[[Entry], None]] = field(default_factory=list)

    def write(self, kind: str, /, **facts: Any) -> Entry:
        entry = Entry(self.now(), kind, facts)
        self.entries.append(entry)
        for listener in self.listeners:
            listener(entry)
        return entry

    def of(self, *kinds: str) -> Iterator[Entry]:
        """The entries of these kinds, in order."""
        return (entry for entry in self.entries if entry.kind in kinds)
