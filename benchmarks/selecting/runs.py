"""Leave one workload out: 24 runs of it by each rule, failures charged; and growth: small sizes seen, large chosen."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.selecting.rules import RULES, SEEDS
from benchmarks.selecting.table import Table, Task
from domain.failures import failure_chances, patterns
from domain.finished_jobs import Job
from domain.learned_choice import MAX_MISS_CHANCE, miss_chance
from domain.memory_cliff import mark_cliffs
from domain.runtime_model import predict, shape_of

RUNS, EARLY = 24, 4
SEEN_SHARE = 0.75
DEADLINE_OVER_FASTEST = 1.5


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two nearest values; infinite where the upper one is."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low if low == high else low + (high - low) * (place - math.floor(place))


@dataclass(frozen=True)
class Score:
    """One rule over all workloads. Regret is over the cheapest configuration that ends well."""

    regret_median: float
    regret_p90: float
    none_found: int
    """Workloads (times draws) of which no early run ended well: their regret is infinite."""
    overspend_mean: float
    """Of all runs until 24 ended well, over 24 on the cheapest: a failed run is paid and repeated."""
    failed_runs: float
    """Of all runs."""
    decision_ms: float
    """The slowest of a hundred decisions, in processor time."""


def largest_tasks(table: Table) -> list[Task]:
    """Each workload where most of its configurations ran, at the largest such size."""
    found: dict[str, Task] = {}
    for task in table.tasks():
        best = found.get(task.workload)
        if best is None or (len(task.usd), task.size) > (len(best.usd), best.size):
            found[task.workload] = task
    return list(found.values())


def _well(task: Task, runs: Sequence[str]) -> int:
    return sum(name not in task.failed for name in runs)


def score(table: Table, tasks: Sequence[Task], rule: str) -> Score:
    regrets, overspends, failed, decisions = [], [], [], []
    for task in tasks:
        for seed in range(SEEDS.get(rule, 1)):
            choose, runs = RULES[rule](table, task, seed), list[str]()
            while _well(task, runs) < RUNS and len(runs) < RUNS + 2 * len(task.usd):
                began = time.process_time()
                name = choose(runs)
                decisions.append(time.process_time() - began)
                runs.append(name)
            well = [task.usd[name] for name in runs[:EARLY] if name not in task.failed]
            regrets.append(min(well) / task.least_usd - 1 if well else math.inf)
            spent = sum(task.usd[name] for name in runs)
            overspends.append(spent / RUNS / task.least_usd - 1 if _well(task, runs) == RUNS else math.inf)
            failed.append(sum(name in task.failed for name in runs) / len(runs))
    return Score(
        percentile(regrets, 0.5),
        percentile(regrets, 0.9),
        regrets.count(math.inf),
        statistics.mean(overspends),
        statistics.mean(failed),
        1e3 * percentile(decisions, 0.99),
    )


@dataclass(frozen=True)
class Grown:
    """Choices for sizes above three quarters of the largest, after runs at those below."""

    contexts: int
    regret_mean: float
    regret_median: float
    misses: float
    """Share of deadlines missed; a failed run misses."""
    deadline_regret_median: float
    plain_regret_mean: float
    plain_misses: float


def _outcome(task: Task, name: str) -> float:
    """Regret of a choice; a failed run is paid and then repeated on the best."""
    return (task.usd[name] + (task.least_usd if name in task.failed else 0)) / task.least_usd - 1


def _choose(table: Table, task: Task, jobs: Sequence[Job], deadline: float) -> tuple[str, str]:
    """The learner's choice without a deadline, and with it."""
    jobs = mark_cliffs(jobs)
    own = [job for job in jobs if job.workload == task.workload]
    others = [job for job in jobs if job.workload != task.workload]
    configurations = [table.configurations[name] for name in sorted(task.usd)]
    beliefs, growth = predict(shape_of(configurations, others), own, task.size)
    chances = failure_chances(patterns(configurations, others), configurations, own, task.size)
    costs, misses = {}, {}
    for one, mean, variance, chance in zip(
        configurations, beliefs.mean, beliefs.variance, chances, strict=True
    ):
        costs[one.name] = one.usd_per_hour * math.exp(mean + variance / 2) / max(1 - chance, 1e-6)
        late = miss_chance(mean, variance + growth.noise, deadline)
        misses[one.name] = 1 - (1 - late) * (1 - chance)
    in_time = [name for name in costs if misses[name] <= MAX_MISS_CHANCE]
    free = min(costs, key=lambda name: (costs[name], name))
    safe = min(in_time, key=lambda n: costs[n]) if in_time else min(misses, key=lambda n: misses[n])
    return free, safe


def grow(table: Table) -> Grown | None:
    """None if no workload has a size above three quarters of its largest and one below."""
    largest: dict[str, float] = {}
    for job in table.jobs:
        largest[job.workload] = max(largest.get(job.workload, 0.0), job.size)
    seen = [job for job in table.jobs if job.size <= SEEN_SHARE * largest[job.workload]]
    known = {job.workload for job in seen}
    regrets, misses, late_regrets, plain, plain_late = [], [], [], [], []
    for task in table.tasks():
        if task.size <= SEEN_SHARE * largest[task.workload] or task.workload not in known:
            continue
        quickest = min(task.seconds[name] for name in task.ended_well)
        deadline = DEADLINE_OVER_FASTEST * quickest
        free, safe = _choose(table, task, seen, deadline)
        in_time = {name: usd for name, usd in task.ended_well.items() if task.seconds[name] <= deadline}
        regrets.append(_outcome(task, free))
        misses.append(safe not in in_time)
        late_regrets.append(task.usd[safe] / min(in_time.values()) - 1)
        ruled = RULES["plain rule"](table, task, 0)([])
        plain.append(_outcome(task, ruled))
        plain_late.append(ruled not in in_time)
    if not regrets:
        return None
    return Grown(
        len(regrets),
        statistics.mean(regrets),
        percentile(regrets, 0.5),
        statistics.mean(misses),
        percentile(late_regrets, 0.5),
        statistics.mean(plain),
        statistics.mean(plain_late),
    )
