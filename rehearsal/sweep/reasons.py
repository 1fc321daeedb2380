"""Why a mutant may survive: the one place for such reasons. They are for mutants that change nothing that matters.

A survivor without a reason fails the sweep; so does a reason without a survivor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rehearsal.sweep.mutants import Mutant


@dataclass(frozen=True)
class Reason:
    """Mutants by their names, which may have wildcards."""

    mutants: tuple[str, ...]
    why: str

    def covers(self, mutant: Mutant) -> bool:
        return any(fnmatchcase(mutant.name, _literal(pattern)) for pattern in self.mutants)


def _literal(pattern: str) -> str:
    """Brackets mean themselves: only * and ? are wildcards."""
    return pattern.replace("[", "[[]")


REASONS: tuple[Reason, ...] = ()


def unexplained(survivors: Sequence[Mutant]) -> list[Mutant]:
    """Survivors for which no reason stands."""
    return [mutant for mutant in survivors if not any(reason.covers(mutant) for reason in REASONS)]


def stale(survivors: Sequence[Mutant]) -> list[str]:
    """Names in a reason that no survivor needs."""
    names = [(pattern, Reason((pattern,), reason.why)) for reason in REASONS for pattern in reason.mutants]
    return [pattern for pattern, one in names if not any(one.covers(mutant) for mutant in survivors)]
