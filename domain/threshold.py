"""From a probability to a yes or no: where a wrong yes and a wrong no cost the same, or where F-beta is best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Threshold:
    """Say yes from this probability on."""

    value: float
    rule: str
    reason: str


def by_cost(*, miss_cost: float, false_alarm_cost: float) -> Threshold:
    """A yes costs (1 - p) false alarms, a no p misses: yes is cheaper from this p on, if p is true.

    >>> by_cost(miss_cost=9, false_alarm_cost=1).value
    0.1
    """
    if miss_cost <= 0 or false_alarm_cost <= 0:
        raise ValueError(f"got costs {miss_cost} and {false_alarm_cost}, allowed is what is above 0")
    value = false_alarm_cost / (miss_cost + false_alarm_cost)
    return Threshold(value, "cost", f"a miss costs {miss_cost:g}, a false alarm {false_alarm_cost:g}")


def by_f_beta(probabilities: Sequence[float], beta: float) -> Threshold:
    """The threshold of the best F-beta that the probabilities themselves lead to expect; no label is looked at.

    >>> by_f_beta([0.9, 0.8, 0.1, 0.1], 1).value
    0.8
    """
    if beta <= 0 or not probabilities:
        raise ValueError(
            f"got beta {beta} and {len(probabilities)} probabilities, allowed is above 0 and 1 or more"
        )
    falling = sorted(probabilities, reverse=True)
    positive, hits = sum(falling), 0.0
    best, value = -1.0, falling[0]
    for said, probability in enumerate(falling, start=1):
        hits += probability
        if said < len(falling) and falling[said] == probability:
            continue
        score = (1 + beta**2) * hits / (beta**2 * positive + said)
        if score > best:
            best, value = score, probability
    return Threshold(
        value, "f-beta", f"the probabilities lead to expect an F{beta:g} of {best:.4f}, the best there is"
    )
