"""How likely a workload fails on each configuration: its own bound of memory, and what failed for others like it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.finished_jobs import Job
from domain.runtime_model import Configuration

SURPRISE = 0.05
"""How often a run ends otherwise than its hypothesis says."""
NEVER_WEIGHT, THRESHOLD_WEIGHT = 4.0, 3.0
"""Before any job: most workloads fail nowhere; some on all that is too small, with a threshold anywhere."""


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


def patterns(configurations: Sequence[Configuration], jobs: Iterable[Job]) -> tuple[Pattern, ...]:
    """Each other workload's own failures, and the general ones: nowhere, everywhere, on the smaller ones."""
    size = len(configurations)
    order = sorted({one.capacity for one in configurations})
    found = [Pattern(NEVER_WEIGHT, (0.0,) * size)]
    for limit in order:
        chances = tuple(1.0 if one.capacity <= limit else 0.0 for one in configurations)
        found.append(Pattern(THRESHOLD_WEIGHT / len(order), chances, limit))
    outcomes: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        outcomes[job.workload][job.configuration].append(job.failed)
    for own in outcomes.values():
        ended = [failed for one in own.values() for failed in one]
        rate = sum(ended) / len(ended)
        chances = tuple(
            sum(own[one.name]) / len(own[one.name]) if one.name in own else rate for one in configurations
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
