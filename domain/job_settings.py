"""What a table must keep to before a model is fitted to it: written into the job's environment, read by it."""

from __future__ import annotations

from dataclasses import dataclass

from domain.settings import Settings


@dataclass(frozen=True)
class CheckLimits(Settings):
    """The limits of the checks; shares are from 0 to 1."""

    min_rows: int = 300
    min_class_rows: int = 10
    """Of each class, before the held-out days."""
    max_missing_share: float = 0.5
    """Of a feature's cells."""
    max_duplicate_share: float = 0.25
    """Rows that repeat an earlier one in every column."""
    max_out_of_range_share: float = 0.01
    """Of a feature's cells, where model.py states its range."""
    max_skill_alone: float = 0.95
    """Share of the target's variance that one feature may explain by itself."""
    max_skill_of_gaps: float = 0.25
    """The same of nothing but where a feature is missing."""
