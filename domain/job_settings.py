"""The environment of the pipeline's jobs: written by the stack with `to_env`, read by the job with `from_env`."""

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


@dataclass(frozen=True)
class GateSettings(Settings):
    """What the gate asks beyond the whole; a list is joined by commas."""

    gate_slices: str = ""
    gate_slice_margin: float = 0.1


@dataclass(frozen=True)
class DecisionSettings(Settings):
    """From a probability to a yes or no."""

    miss_cost: float = 1.0
    false_alarm_cost: float = 1.0
    f_beta: float = 0.0
    """Above 0: the threshold of the best F-beta instead of the cheapest one."""


@dataclass(frozen=True)
class BiasSettings(Settings):
    """Facets and limits are JSON, as in the configuration; an environment variable of a job has 256 characters."""

    bias_facets: str = "[]"
    bias_group: str = ""
    bias_favourable: int = 1
    bias_limits: str = "{}"


@dataclass(frozen=True)
class ExplainSettings(Settings):
    """What is told of single answers."""

    shap_rows: int = 0
    """Held-out rows of which SHAP values are computed; 0 is none, and needs no library."""
