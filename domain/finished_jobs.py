"""What finished jobs say of each configuration: a runtime at the asked size, a failure, a bound of memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.gaussian import Observation


@dataclass(frozen=True)
class Job:
    """A finished job: seconds on a configuration at a size (rows, bytes; any one unit, above zero; 1 if unknown)."""

    workload: str
    configuration: str
    seconds: float
    failed: bool = False
    size: float = 1.0


SLOPE, SLOPE_SD = 1.0, 0.3
"""Before any job was seen at two sizes: runtime grows with size ** 1.0, give or take."""
SLOPE_SPREAD_SD = 0.1
"""How far the growth of one configuration may be from that of the others."""
NOISE_SD, NOISE_WEIGHT = 0.1, 4.0
"""Before repeats were seen a run differs by 10% from its like; the belief weighs as much as four runs."""


@dataclass(frozen=True)
class Growth:
    """How one workload's log runtime goes with log size, and how much it scatters."""

    slope: float
    spread: float
    """Variance of a configuration's own slope around `slope`."""
    noise: float
    """Variance of one run's log runtime."""


Point = tuple[float, float]
"""log(size / asked size), log seconds."""


def points_of(jobs: Iterable[Job], size: float) -> dict[str, list[Point]]:
    """The runs that ended well, by configuration, seen from the asked size."""
    found: dict[str, list[Point]] = defaultdict(list)
    for job in jobs:
        if not job.failed and job.seconds > 0:
            found[job.configuration].append((math.log(job.size / size), math.log(job.seconds)))
    return dict(found)


def _centred(points: list[Point]) -> list[Point]:
    across = sum(x for x, _ in points) / len(points)
    up = sum(y for _, y in points) / len(points)
    return [(x - across, y - up) for x, y in points]


def growth_of(points: Mapping[str, list[Point]]) -> Growth:
    """The common slope and the scatter, each shrunk to what is believed before any job was seen."""
    weight = (NOISE_SD / SLOPE_SD) ** 2
    centred = [_centred(own) for own in points.values()]
    grown = [own for own in centred if any(x for x, _ in own)]
    slopes = [_slope(own, SLOPE, weight) for own in grown]
    slope = _slope([point for own in grown for point in own], SLOPE, weight)
    apart = [(own - slope) ** 2 for own in slopes]
    rests = [_rest(own, slope) for own in centred if len(own) > 1]
    return Growth(slope, _shrunk(apart, SLOPE_SPREAD_SD**2), _shrunk(rests, NOISE_SD**2))


def _slope(centred: list[Point], before: float, weight: float) -> float:
    cross, wide = sum(x * y for x, y in centred), sum(x * x for x, _ in centred)
    return (cross + weight * before) / (wide + weight)


def _rest(centred: list[Point], slope: float) -> float:
    """Variance around the configuration's own line."""
    own = _slope(centred, slope, (NOISE_SD / SLOPE_SPREAD_SD) ** 2)
    free = max(len(centred) - (2 if any(x for x, _ in centred) else 1), 1)
    return sum((y - own * x) ** 2 for x, y in centred) / free


def _shrunk(squares: list[float], before: float) -> float:
    """A variance: the mean of squares, and what was believed before, which counts as much as NOISE_WEIGHT of them."""
    return (sum(squares) + before * NOISE_WEIGHT) / (len(squares) + NOISE_WEIGHT)


def at_size(points: list[Point], growth: Growth) -> Observation:
    """One configuration's log seconds at the asked size: runs near that size count more than far ones."""
    ones = len(points) / growth.noise
    across = sum(x for x, _ in points) / growth.noise
    wide = sum(x * x for x, _ in points) / growth.noise
    level = [(x, y - growth.slope * x) for x, y in points]
    up = sum(z for _, z in level) / growth.noise
    cross = sum(x * z for x, z in level) / growth.noise
    shrink = growth.spread / (1 + growth.spread * wide)
    precision = ones - shrink * across * across
    return Observation((up - shrink * across * cross) / precision, 1 / precision)


def observations(jobs: Iterable[Job], size: float) -> tuple[dict[str, Observation], Growth]:
    """Each configuration's log seconds at a size, from one workload's jobs at whatever sizes they had."""
    points = points_of(jobs, size)
    growth = growth_of(points)
    return {name: at_size(own, growth) for name, own in points.items()}, growth
