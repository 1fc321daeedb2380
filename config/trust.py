"""What a table must keep to before a model is fitted to it, and a model before it may replace another."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.values import Part

Column = Annotated[str, Field(pattern=r"^[^,]+$")]
# fmt: off
Metric = Literal[
    "CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL",
    "DPPL", "DI", "DCA", "DCR", "RD", "DAR", "DRR", "AD", "TE", "CDDPL",
]
# fmt: on
"""SageMaker Clarify's names, as in domain/bias.py."""
ENVIRONMENT_VALUE_LIMIT = 256
Sentence = Annotated[str, Field(max_length=ENVIRONMENT_VALUE_LIMIT)]
Share = Annotated[float, Field(ge=0, le=1)]


class Checks(Part):
    """What a table must keep to before a model is fitted to it; see CheckLimits in domain/job_settings.py."""

    min_rows: Annotated[int, Field(ge=1)] = 300
    """Rows before the held-out days."""
    min_class_rows: Annotated[int, Field(ge=1)] = 10
    """Rows of each class, before the held-out days."""
    max_missing_share: Share = 0.5
    """Of a feature's cells."""
    max_duplicate_share: Share = 0.25
    """Rows that repeat an earlier one in every column."""
    max_out_of_range_share: Share = 0.01
    """Of a feature's cells, where `model.py` states its range."""
    max_skill_alone: Share = 0.95
    """Share of the target's variance that one feature may explain by itself; above, it is suspected to leak."""
    max_skill_of_gaps: Share = 0.25
    """The same of nothing but where a feature is missing."""


class Gate(Part):
    """When a challenger may replace the champion."""

    holdout_days: Annotated[int, Field(ge=5)] = 14
    """The last days of the snapshot, kept from training."""
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """How much worse than the champion's loss the challenger may be at most (95% bound, resampled by day)."""
    resamples: Annotated[int, Field(ge=100)] = 1000
    """Draws of days behind that bound."""
    slices: list[Column] | None = None
    """Columns for none of whose values the challenger may surely be worse than the champion by more than the margin."""
    slice_margin: Annotated[float, Field(ge=0)] = 0.1
    """How much worse, as a share of the champion's loss there."""


class Decision(Part):
    """From a probability to a yes or no, for the metrics that need one; what is served stays a probability."""

    miss_cost: Annotated[float, Field(gt=0)] = 1
    """What a yes costs that was taken for a no."""
    false_alarm_cost: Annotated[float, Field(gt=0)] = 1
    """What a no costs that was taken for a yes, in the same unit."""
    f_beta: Annotated[float, Field(gt=0)] | None = None
    """The threshold of the best F-beta instead of the cheapest one."""


class Explain(Part):
    """What is told of single answers in the evaluation."""

    shap_rows: Annotated[int, Field(ge=0, le=1000)] = 0
    """Held-out rows of which SHAP values are computed; above 0 `training/requirements.txt` must name `shap`."""


class Card(Part):
    """What only people know of a model; the rest of its model card comes from the evaluation."""

    owner: Sentence = ""
    """Who answers for the model; the deployment's name if empty."""
    purpose: Sentence = ""
    """Why it is made; the target and the task if empty."""
    intended_uses: Sentence = ""
    """What its answers may be used for, and what not."""
    risk_rating: Literal["High", "Medium", "Low", "Unknown"] = "Unknown"
    """As your organisation rates it."""
    risk_reason: Sentence = ""
    """Why it is rated so."""
    caveats: Sentence = ""
    """What whoever uses it should know."""


class Facet(Part):
    """Rows that may be at a disadvantage: those with one of the values, or with a number above."""

    column: Column
    values: list[str] | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.values is None) == (self.above is None):
            raise ValueError("name the values of the facet, or the number that it is above, and not both")
        return self


class Bias(Part):
    """What is measured of a model that answers yes or no, and what it may not exceed."""

    facets: list[Facet] | None = None
    """A list of `{column, values}` or `{column, above}`: the rows that may be at a disadvantage."""
    group: Column | None = None
    """The column within whose values CDDL and CDDPL compare."""
    favourable: Literal[0, 1] = 1
    """Which answer is the good one for those concerned."""
    limits: dict[Metric, Annotated[float, Field(ge=0)]] | None = None
    """The largest size of a metric; of DI, a ratio, the smallest."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for text in (self.facets_json, self.limits_json):
            if len(text) > ENVIRONMENT_VALUE_LIMIT:
                raise ValueError(
                    f"{text} has {len(text)} characters, and an environment variable of a job takes "
                    f"{ENVIRONMENT_VALUE_LIMIT}: name fewer"
                )
        return self

    @property
    def facets_json(self) -> str:
        facets = [facet.model_dump(exclude_none=True) for facet in self.facets or []]
        return json.dumps(facets, separators=(",", ":"))

    @property
    def limits_json(self) -> str:
        return json.dumps(self.limits or {}, separators=(",", ":"), sort_keys=True)
