"""How long a workload takes on each configuration: a prior, what other workloads show, and its own finished jobs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.finished_jobs import Growth, Job, growth_of, observations, points_of
from domain.gaussian import Beliefs, Observation, condition

Trait = str | float


@dataclass(frozen=True)
class Configuration:
    """Something that a workload can run on. `traits` are compared place by place: words by equality, numbers by
    distance (logarithms of base 2). `speed` is the prior: runtime falls with it."""

    name: str
    usd_per_hour: float
    traits: tuple[Trait, ...] = ()
    speed: float = 1.0
    capacity: float = 1.0
    """How much data fits: GiB of memory, or what stands for it."""


LEVEL_SD = 3.0
"""Of a workload's log runtime before one of its jobs ended: nothing is known but the prior's order."""
SCALING_SD = 0.5
"""Of the power of speed by which runtime falls, around the prior's."""
LIKENESS_SD, OWN_SD = 0.2, 0.3
"""Of what configurations alike have in common, and of each one's own, around what its speed says."""
PRIOR_WORKLOADS = 2.0
"""As many other workloads weigh as much as the prior's covariance."""
WORD_LIKENESS, NUMBER_REACH = 0.5, 1.5


def likeness(one: Configuration, other: Configuration) -> float:
    """1 for the same traits, less with each that differs."""
    alike = 1.0
    for mine, theirs in zip(one.traits, other.traits, strict=False):
        if isinstance(mine, str) or isinstance(theirs, str):
            alike *= 1.0 if mine == theirs else WORD_LIKENESS
        else:
            alike *= math.exp(-0.5 * ((mine - theirs) / NUMBER_REACH) ** 2)
    return alike


@dataclass(frozen=True)
class Shape:
    """What workloads have in common: the mean log runtime of each configuration, and how they differ from it."""

    configurations: tuple[Configuration, ...]
    mean: tuple[float, ...]
    deviations: tuple[tuple[float, ...], ...]
    """By configuration: how much slower each workload ran on it than `mean` said, times the root of its weight."""
    workloads: float
    """The weights' sum."""

    def covariance(self, i: int, j: int) -> float:
        one, other = self.configurations[i], self.configurations[j]
        slope = SCALING_SD**2 * math.log(one.speed) * math.log(other.speed)
        prior = slope + LIKENESS_SD**2 * likeness(one, other)
        seen = sum(map(float.__mul__, self.deviations[i], self.deviations[j]))
        shared = (PRIOR_WORKLOADS * prior + seen) / (PRIOR_WORKLOADS + self.workloads)
        return LEVEL_SD**2 + shared + (OWN_SD**2 if i == j else 0.0)

    def beliefs(self, seen: Mapping[str, Observation]) -> Beliefs:
        """Log seconds of one workload on each configuration after what was seen of it."""
        place = {one.name: i for i, one in enumerate(self.configurations)}
        known = {place[name]: value for name, value in seen.items() if name in place}
        return condition(self.mean, self.covariance, known)


def _vectors(jobs: Iterable[Job]) -> list[tuple[float, dict[str, float]]]:
    """Log seconds by configuration of each workload at each of its sizes; a workload's sizes share a weight of one."""
    grouped: dict[str, dict[float, list[Job]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        grouped[job.workload][job.size].append(job)
    found = []
    for sizes in grouped.values():
        vectors = []
        for size, own in sizes.items():
            points = points_of(own, size)
            vectors.append({name: sum(y for _, y in seen) / len(seen) for name, seen in points.items()})
        useful = [vector for vector in vectors if len(vector) > 1]
        found += [(1 / len(useful), vector) for vector in useful]
    return found


SWEEPS = 4


def shape_of(configurations: Sequence[Configuration], jobs: Iterable[Job]) -> Shape:
    """Learn from other workloads' jobs; without any, the prior remains."""
    prior = [-math.log(one.speed) for one in configurations]
    names = [one.name for one in configurations]
    vectors = [
        (share, {i: vector[name] for i, name in enumerate(names) if name in vector})
        for share, vector in _vectors(jobs)
    ]
    vectors = [(share, vector) for share, vector in vectors if len(vector) > 1]
    mean = list(prior)
    for _ in range(SWEEPS):
        levels = [sum(y - mean[i] for i, y in vector.items()) / len(vector) for _, vector in vectors]
        sums, weights = list(prior), [1.0] * len(prior)
        for (share, vector), level in zip(vectors, levels, strict=True):
            for i, y in vector.items():
                sums[i] += share * (y - level)
                weights[i] += share
        mean = [total / weight for total, weight in zip(sums, weights, strict=True)]
    rows = []
    for share, vector in vectors:
        level = sum(y - mean[i] for i, y in vector.items()) / len(vector)
        root = math.sqrt(share)
        rows.append([root * (vector[i] - level - mean[i]) if i in vector else 0.0 for i in range(len(names))])
    deviations = tuple(tuple(row[i] for row in rows) for i in range(len(names)))
    return Shape(tuple(configurations), tuple(mean), deviations, sum(share for share, _ in vectors))


def predict(shape: Shape, own: Sequence[Job], size: float) -> tuple[Beliefs, Growth]:
    """Log seconds of a workload at a size, from its own jobs at any size and the shape of all workloads."""
    seen, growth = observations(own, size)
    if not seen:
        return shape.beliefs({}), growth_of({})
    return shape.beliefs(seen), growth
