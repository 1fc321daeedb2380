"""How likely a workload fails on each configuration: its own bound of memory, and what failed for others like it."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.finished_jobs import Job
from domain.runtime_model import Configuration

SURPRISE = 0.05
"""How often a run ends otherwise than its hypothesis says."""
NEVER_WEIGHT, THRESHOLD_WEIGHT = 4.0, 3.0
"""Before any job: most workloads fail nowhere; some on all that is too small, with a threshold anywhere."""

STEPS_AN_OCTAVE = 4


@dataclass(frozen=True)
class Pattern:
    """One way in which a workload can fail: a weight, and a chance of failure for each configuration."""

    weight: float
    chances: tuple[float, ...]
    limit: float | None = None
    """It fails wherever the capacity is at most this, at the asked size; twice the size needs twice the capacity."""

    def said(self, place: int, capacity: float) -> float:
        """The chance of failure of a run that had this capacity, in proportion to its size."""
        return self.chances[place] if self.limit is None else float(capacity <= self.limit)


def _limits(capacities: Sequence[float]) -> list[float]:
    """Four thresholds an octave, from where everything fits to where nothing does."""
    low, high = math.log2(min(capacities)), math.log2(max(capacities))
    steps = math.ceil((high - low) * STEPS_AN_OCTAVE) + 1
    return [2 ** (low + (step + 0.5) / STEPS_AN_OCTAVE) for step in range(-STEPS_AN_OCTAVE, steps)]


def patterns(configurations: Sequence[Configuration], jobs: Iterable[Job]) -> tuple[Pattern, ...]:
    """Each other workload's own failures, and the general ones: nowhere, everywhere, on the smaller ones."""
    size = len(configurations)
    outcomes: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        outcomes[job.workload][job.configuration].append(job.failed)
    rates = {
        workload: statistics.mean(failed for one in own.values() for failed in one)
        for workload, own in outcomes.items()
    }
    hit = sum(rate > 0 for rate in rates.values())
    found = [Pattern(NEVER_WEIGHT + len(rates) - hit, (0.0,) * size)]
    limits = _limits([one.capacity for one in configurations])
    for limit in limits:
        chances = tuple(1.0 if one.capacity <= limit else 0.0 for one in configurations)
        found.append(Pattern((THRESHOLD_WEIGHT + hit) / len(limits), chances, limit))
    for workload, own in outcomes.items():
        if rates[workload] > 0:
            chances = tuple(
                statistics.mean(own[one.name]) if one.name in own else rates[workload]
                for one in configurations
            )
            found.append(Pattern(1.0, chances))
    return tuple(found)


def failure_chances(
    known: Sequence[Pattern], configurations: Sequence[Configuration], own: Iterable[Job], size: float
) -> tuple[float, ...]:
    """The chance of failure on each configuration; what failed once is remembered at its size and above."""
    place = {one.name: i for i, one in enumerate(configurations)}
    weights = [one.weight for one in known]
    failed, ended_well = set(), set()
    for job in own:
        if job.configuration not in place:
            continue
        i = place[job.configuration]
        if job.failed and job.size <= size:
            failed.add(i)
        elif not job.failed and job.size >= size:
            ended_well.add(i)
        capacity = configurations[i].capacity * size / job.size
        for k, pattern in enumerate(known):
            chance = pattern.said(i, capacity)
            weights[k] *= SURPRISE + (1 - 2 * SURPRISE) * (chance if job.failed else 1 - chance)
    total = sum(weights)
    chances = [
        min(sum(weight * one.chances[i] for weight, one in zip(weights, known, strict=True)) / total, 0.99)
        for i in range(len(configurations))
    ]
    for i in failed - ended_well:
        chances[i] = 1.0
    return tuple(chances)
