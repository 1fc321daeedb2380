"""Runs that suddenly took much longer than at a smaller size: memory ran out, and they are remembered like failures."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from domain.finished_jobs import Job

CLIFF = math.log(1.7)
"""The least excess over the workload's usual growth."""
SCATTERS = 5.0
"""And how often the usual scatter it must be."""
MAD_TO_SD = 1.48
SHORTEST_SECONDS = 60.0
"""A shorter run is mostly its start, and says nothing of memory."""

Level = tuple[float, float]
"""log size, log seconds"""


def _levels(jobs: Sequence[Job]) -> dict[str, list[Level]]:
    """By configuration: the median run at each size, smallest size first."""
    runs: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        if not job.failed and job.seconds > 0:
            runs[job.configuration][job.size].append(math.log(job.seconds))
    return {
        name: [(math.log(size), statistics.median(own)) for size, own in sorted(sizes.items())]
        for name, sizes in runs.items()
    }


def _threshold(levels: Iterable[Sequence[Level]]) -> tuple[float, float] | None:
    """The usual slope, and the excess above it that is a cliff; None if nothing ran at two sizes."""
    steps = [(bx - ax, by - ay) for own in levels for (ax, ay), (bx, by) in pairwise(own)]
    if not steps:
        return None
    slope = statistics.median(dy / dx for dx, dy in steps)
    rest = [dy - slope * dx for dx, dy in steps]
    middle = statistics.median(rest)
    scatter = MAD_TO_SD * statistics.median(abs(one - middle) for one in rest)
    return slope, max(CLIFF, SCATTERS * scatter)


def _beyond(own: Sequence[Level], slope: float, threshold: float) -> set[float]:
    """The log sizes at which one configuration was beyond its cliff."""
    found: set[float] = set()
    highest = own[0][1] - slope * own[0][0]
    for x, y in own[1:]:
        level = y - slope * x
        if level - highest > threshold:
            found.add(x)
        else:
            highest = max(highest, level)
    return found


def mark_cliffs(jobs: Sequence[Job], *, least_runs: int = 1) -> list[Job]:
    """The same jobs; those beyond a cliff count as failed. Each workload is judged by its own growth.

    With fewer than `least_runs` runs beyond it on a configuration it is taken for chance.
    """
    workloads: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        workloads[job.workload].append(job)
    beyond: dict[tuple[str, str], set[float]] = {}
    for workload, own in workloads.items():
        levels = _levels(own)
        usual = _threshold(levels.values())
        for name, each in levels.items() if usual else ():
            assert usual is not None
            beyond[workload, name] = _beyond(each, *usual)
    fell = [
        job.seconds >= SHORTEST_SECONDS
        and math.log(job.size) in beyond.get((job.workload, job.configuration), ())
        for job in jobs
    ]
    runs = Counter(
        (job.workload, job.configuration) for job, is_beyond in zip(jobs, fell, strict=True) if is_beyond
    )
    return [
        replace(job, failed=job.failed or (is_beyond and runs[job.workload, job.configuration] >= least_runs))
        for job, is_beyond in zip(jobs, fell, strict=True)
    ]
