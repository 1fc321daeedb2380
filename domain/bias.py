"""Bias of a table and of a model under the names of SageMaker Clarify, from counts alone, so that days can be added up.

The facet is the group that may be at a disadvantage (d), all other rows are the other one (a). A label or an answer is
favourable (1) or not (0). Formulas: "Measure Pre-training Bias" and "Measure Post-training Data and Model Bias" in the
SageMaker developer guide; what divides by nothing is 0 / 0 = 0 and x / 0 = infinity, as in `smclarify`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Cell(NamedTuple):
    """One kind of rows. `said` is the model's answer; False throughout where there is none yet."""

    group: str
    in_facet: bool
    label: bool
    said: bool


Counts = Mapping[Cell, int]
"""How many rows of each kind there are."""


@dataclass(frozen=True)
class Measured:
    """One metric; `value` is None where it is not defined, and `error` says why."""

    name: str
    description: str
    value: float | None
    error: str = ""


class Undefined(ValueError):
    """The counts leave a metric without a meaning."""


def added(*tables: Counts) -> Counts:
    """The counts of all rows together.

    >>> added({Cell("", True, True, False): 2}, {Cell("", True, True, False): 3})[Cell("", True, True, False)]
    5
    """
    found: Counter[Cell] = Counter()
    for table in tables:
        found.update(table)
    return found


def rows(counts: Counts, **wanted: bool | str) -> int:
    """How many rows there are with these values: `in_facet`, `label`, `said` or `group`."""
    asked = [(Cell._fields.index(name), value) for name, value in wanted.items()]
    return sum(count for cell, count in counts.items() if all(cell[i] == value for i, value in asked))


def pre_training(counts: Counts) -> list[Measured]:
    """CI, DPL, KL, JS, LP, TVD, KS and CDDL of a table's labels."""
    return [_measured(name, counts, PRE_TRAINING) for name in PRE_TRAINING]


def post_training(counts: Counts) -> list[Measured]:
    """DPPL, DI, DCA, DCR, RD, DAR, DRR, AD, TE and CDDPL of a model's answers."""
    return [_measured(name, counts, POST_TRAINING) for name in POST_TRAINING]


def breaks(measured: Measured, limit: float) -> bool:
    """Is the metric beyond its limit? Of a difference the limit is its largest size; of DI, a ratio, its smallest.

    >>> di = Measured("DI", "", 1.3)
    >>> breaks(di, 0.8), breaks(Measured("DPPL", "", -0.05), 0.1)
    (True, False)
    """
    if measured.value is None:
        return False
    if measured.name == "DI":
        return not limit <= measured.value or measured.value * limit > 1
    return abs(measured.value) > limit


Metric = Callable[[Counts], float]
Described = Mapping[str, tuple[str, Metric]]


def _measured(name: str, counts: Counts, metrics: Described) -> Measured:
    description, metric = metrics[name]
    for facet, what in ((True, "the facet has no row"), (False, "every row is in the facet")):
        if name not in BY_GROUP and not rows(counts, in_facet=facet):
            return Measured(name, description, None, what)
    try:
        value = metric(counts)
    except Undefined as error:
        return Measured(name, description, None, str(error))
    return Measured(name, description, value) if math.isfinite(value) else _infinite(name, description)


def _infinite(name: str, description: str) -> Measured:
    return Measured(name, description, None, "infinite: it divides by no rows")


def _divide(part: float, whole: float) -> float:
    return part / whole if whole else math.copysign(math.inf, part) if part else 0.0


def _difference(first: float, second: float) -> float:
    return 0.0 if first == second else first - second  # also of two infinities


def _share(counts: Counts, facet: bool, what: str) -> float:
    """Of the facet's rows, those with a favourable `label` or answer (`said`)."""
    return rows(counts, in_facet=facet, **{what: True}) / rows(counts, in_facet=facet)


def _imbalance(counts: Counts) -> float:
    a, d = rows(counts, in_facet=False), rows(counts, in_facet=True)
    return (a - d) / (a + d)


def _pairs(counts: Counts) -> list[tuple[float, float]]:
    """The shares of each label among a and d, of the labels that both have."""
    a, d = _share(counts, False, "label"), _share(counts, True, "label")
    found = [(p, q) for p, q in ((1 - a, 1 - d), (a, d)) if p and q]
    if not found:
        raise Undefined("the facet and the rest have no label in common")
    return found


def _kl(pairs: list[tuple[float, float]]) -> float:
    return sum(p * math.log(p / q) for p, q in pairs)


def _js(pairs: list[tuple[float, float]]) -> float:
    to_middle = [[(one, (p + q) / 2) for one in (p, q)] for p, q in pairs]
    return 0.5 * sum(_kl(each) for each in to_middle)


def _disparity(counts: Counts, what: str) -> float:
    """Of each group: the facet's share of the unfavourable less its share of the favourable; weighted by rows."""
    if not rows(counts, **{what: True}) or not rows(counts, **{what: False}):
        raise Undefined("all rows are favourable, or none is")
    total = 0.0
    for group in sorted({cell.group for cell in counts}):
        of_group = {cell: count for cell, count in counts.items() if cell.group == group}
        shares = {}
        for favourable in (True, False):
            all_of_it = rows(of_group, **{what: favourable})
            in_facet = rows(of_group, in_facet=True, **{what: favourable})
            shares[favourable] = in_facet / all_of_it if all_of_it else 0.0
        total += rows(of_group) * (shares[False] - shares[True])
    return total / rows(counts)


def _conditional(counts: Counts, facet: bool, outcome: bool) -> float:
    return _divide(rows(counts, in_facet=facet, label=outcome), rows(counts, in_facet=facet, said=outcome))


def _right(counts: Counts, facet: bool, outcome: bool, of: str) -> float:
    """Of the rows with this label or this answer, those where both agree."""
    agree = rows(counts, in_facet=facet, label=outcome, said=outcome)
    return _divide(agree, rows(counts, in_facet=facet, **{of: outcome}))


def _accuracy(counts: Counts, facet: bool) -> float:
    agree = sum(rows(counts, in_facet=facet, label=one, said=one) for one in (False, True))
    return agree / rows(counts, in_facet=facet)


def _treatment(counts: Counts, facet: bool) -> float:
    missed = rows(counts, in_facet=facet, label=True, said=False)
    return _divide(missed, rows(counts, in_facet=facet, label=False, said=True))


PRE_TRAINING: Described = {
    "CI": ("Class Imbalance (CI)", _imbalance),
    "DPL": (
        "Difference in Positive Proportions in Labels (DPL)",
        lambda n: _share(n, False, "label") - _share(n, True, "label"),
    ),
    "KL": ("Kullback-Leibler Divergence (KL)", lambda n: _kl(_pairs(n))),
    "JS": ("Jensen-Shannon Divergence (JS)", lambda n: _js(_pairs(n))),
    "LP": ("L-p Norm (LP)", lambda n: math.hypot(*(p - q for p, q in _pairs(n)))),
    "TVD": ("Total Variation Distance (TVD)", lambda n: 0.5 * sum(abs(p - q) for p, q in _pairs(n))),
    "KS": ("Kolmogorov-Smirnov Distance (KS)", lambda n: max(abs(p - q) for p, q in _pairs(n))),
    "CDDL": ("Conditional Demographic Disparity in Labels (CDDL)", lambda n: _disparity(n, "label")),
}
POST_TRAINING: Described = {
    "DPPL": (
        "Difference in Positive Proportions in Predicted Labels (DPPL)",
        lambda n: _share(n, False, "said") - _share(n, True, "said"),
    ),
    "DI": ("Disparate Impact (DI)", lambda n: _divide(_share(n, True, "said"), _share(n, False, "said"))),
    "DCA": (
        "Difference in Conditional Acceptance (DCA)",
        lambda n: _difference(_conditional(n, False, True), _conditional(n, True, True)),
    ),
    "DCR": (
        "Difference in Conditional Rejection (DCR)",
        lambda n: _difference(_conditional(n, True, False), _conditional(n, False, False)),
    ),
    "RD": (
        "Recall Difference (RD)",
        lambda n: _right(n, False, True, "label") - _right(n, True, True, "label"),
    ),
    "DAR": (
        "Difference in Acceptance Rates (DAR)",
        lambda n: _right(n, False, True, "said") - _right(n, True, True, "said"),
    ),
    "DRR": (
        "Difference in Rejection Rates (DRR)",
        lambda n: _right(n, True, False, "said") - _right(n, False, False, "said"),
    ),
    "AD": ("Accuracy Difference (AD)", lambda n: _accuracy(n, False) - _accuracy(n, True)),
    "TE": ("Treatment Equality (TE)", lambda n: _difference(_treatment(n, True), _treatment(n, False))),
    "CDDPL": (
        "Conditional Demographic Disparity in Predicted Labels (CDDPL)",
        lambda n: _disparity(n, "said"),
    ),
}
BY_GROUP = ("CDDL", "CDDPL")
"""These compare outcomes, not the facet with the rest: they have a value without either."""
NAMES = (*PRE_TRAINING, *POST_TRAINING)
