"""Bias of the training rows and of the model's answers, by the configured facets, in Clarify's file format."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.bias import NAMES, Cell, Counts, Measured, breaks, post_training, pre_training
from domain.gate import Objection
from domain.job_settings import BiasSettings
from training import tables
from training.errors import Refused

MIN_ROWS = 100
"""In the facet and in the rest: a limit says nothing on fewer."""
Answers = NDArray[np.bool_]


@dataclass(frozen=True)
class Facet:
    """The rows that may be at a disadvantage: those with one of the values, or with a number above."""

    column: str
    values: tuple[str, ...] = ()
    above: float | None = None

    @property
    def said(self) -> str:
        return ",".join(self.values) if self.above is None else f"({self.above:g}, inf)"

    def rows(self, table: pd.DataFrame) -> Answers:
        if self.column not in table.columns:
            raise Refused(
                f"bias.facets names {self.column!r}, allowed are the table's: {', '.join(table.columns)}"
            )
        if self.above is not None:
            return np.asarray(tables.numbers(table[self.column]) > self.above)
        return np.asarray(table[self.column].isin(self.values))


@dataclass(frozen=True)
class Bias:
    """The file for the registry, and what the gate has against the model."""

    report: dict[str, Any]
    objections: list[Objection]


def facets_of(settings: BiasSettings) -> list[Facet]:
    return [
        Facet(**{**one, "values": tuple(one.get("values", ()))}) for one in json.loads(settings.bias_facets)
    ]


def limits_of(settings: BiasSettings) -> dict[str, float]:
    limits: dict[str, float] = json.loads(settings.bias_limits)
    if unknown := sorted(set(limits) - set(NAMES)):
        raise Refused(f"bias.limits names {unknown[0]!r}, allowed are {', '.join(NAMES)}")
    return limits


def counted(
    table: pd.DataFrame, facet: Facet, group: str, *, labels: Answers, said: Answers | None = None
) -> Counts:
    """How many rows of each kind the table has; `labels` and `said` are true where they are favourable."""
    if group and group not in table.columns:
        raise Refused(f"bias.group is {group!r}, allowed are the table's columns: {', '.join(table.columns)}")
    groups = table[group].tolist() if group else [""] * len(table)
    answers = np.zeros(len(table), dtype=bool) if said is None else said
    rows = zip(groups, facet.rows(table).tolist(), labels.tolist(), answers.tolist(), strict=True)
    return {Cell(*key): count for key, count in Counter(rows).items()}


def measure(
    settings: BiasSettings,
    train: pd.DataFrame,
    train_targets: NDArray[np.float64],
    test: pd.DataFrame,
    test_targets: NDArray[np.float64],
    answers: Answers,
    target: str,
) -> Bias:
    """Before training on the training rows, after it on the held-out ones."""
    favourable, limits, objections = bool(settings.bias_favourable), limits_of(settings), []
    before: dict[str, list[Any]] = {}
    after: dict[str, list[Any]] = {}
    for facet in facets_of(settings):
        labels = (train_targets > 0) == favourable
        table = counted(train, facet, settings.bias_group, labels=labels)
        labels, said = (test_targets > 0) == favourable, answers == favourable
        answered = counted(test, facet, settings.bias_group, labels=labels, said=said)
        for counts, found, section in (
            (table, pre_training(table), before),
            (answered, post_training(answered), after),
        ):
            section.setdefault(facet.column, []).append(
                {"value_or_threshold": facet.said, "metrics": _shown(found)}
            )
            objections += _objections(facet, counts, found, limits)
    described = {"label": target, "label_value_or_threshold": str(int(favourable))}
    report = {
        "version": "1.0",
        "pre_training_bias_metrics": {**described, "facets": before},
        "post_training_bias_metrics": {**described, "facets": after},
    }
    return Bias(report, objections)


def _shown(found: list[Measured]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "description": one.description, "value": one.value}
        | ({"error": one.error} if one.error else {})
        for one in found
    ]


def _objections(
    facet: Facet, counts: Counts, found: list[Measured], limits: dict[str, float]
) -> list[Objection]:
    in_facet = sum(count for cell, count in counts.items() if cell.in_facet)
    if min(in_facet, sum(counts.values()) - in_facet) < MIN_ROWS:
        return []
    return [
        Objection(
            "bias",
            f"{one.name} of {facet.column} {facet.said} is {one.value:.4f}, allowed is {limits[one.name]:g}",
        )
        for one in found
        if one.name in limits and breaks(one, limits[one.name])
    ]
