"""Which configuration the next run takes: the least expected cost, with a little risk for what may be cheaper later."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from domain.gaussian import normal_cdf, student_cdf

MAX_TRIES = 4
"""Runs of a workload that may be used to learn; after them the cheapest configuration seen is kept."""
FUTURE_RUNS = 24
"""Runs for which a cheaper configuration pays, once it is found."""
FAILURE_RUNS = 3.0
"""What a failed run costs, in runs that end well."""
MAX_MISS_CHANCE = 0.05


def miss_chance(log_seconds: float, variance: float, deadline_seconds: float) -> float:
    """P(time > deadline); `variance` is of the belief and of one run's scatter together."""
    return 1 - student_cdf((math.log(deadline_seconds) - log_seconds) / math.sqrt(variance))


@dataclass(frozen=True)
class Outlook:
    """A configuration before the run: log dollars of one run, and the chance that it fails."""

    mean: float
    variance: float
    failure: float

    @property
    def expected(self) -> float:
        return math.exp(self.mean + self.variance / 2)

    def gain_below(self, best: float) -> float:
        """The expected saving against `best` dollars, where there is one."""
        sd = math.sqrt(self.variance)
        d = (math.log(best) - self.mean) / sd
        return max(best * normal_cdf(d) - self.expected * normal_cdf(d - sd), 0.0)


def next_configuration(
    outlooks: Sequence[Outlook],
    seen_usd: dict[int, float],
    *,
    tries: int,
    horizon: int = FUTURE_RUNS,
) -> int:
    """The place of the configuration for the next run. `seen_usd` are the costs of runs that ended well.
    A failed run is taken to cost as much as one that ends well, and has to be repeated.
    """
    if not seen_usd:
        return cheapest_at_risk(outlooks)
    incumbent = min(seen_usd, key=lambda i: (seen_usd[i], i))
    best = seen_usd[incumbent]
    if len(seen_usd) >= MAX_TRIES or tries >= 2 * MAX_TRIES:
        return incumbent
    chosen, least = incumbent, best
    for i, one in enumerate(outlooks):
        if i in seen_usd:
            continue
        now = one.expected + one.failure * best
        score = now - (horizon - tries - 1) * (1 - one.failure) * one.gain_below(best)
        if score < least:
            chosen, least = i, score
    return chosen


def cheapest_at_risk(outlooks: Sequence[Outlook], horizon: int = FUTURE_RUNS) -> int:
    """The place of the least cost over all coming runs: a failure costs a few runs once, then another one is used."""
    safe = min(one.expected / max(1 - one.failure, 1e-6) for one in outlooks)

    def over_time(one: Outlook) -> float:
        after_failure = safe + FAILURE_RUNS * one.expected / horizon
        return (1 - one.failure) * one.expected + one.failure * after_failure

    open_places = [i for i, one in enumerate(outlooks) if one.failure < 1] or list(range(len(outlooks)))
    return min(open_places, key=lambda i: (over_time(outlooks[i]), i))
