"""The rules that the learner is compared with. Each names the configuration for the next run of one workload."""

from __future__ import annotations

import math
import random
import statistics
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.selecting.learner import Learned
from benchmarks.selecting.table import Table, Task
from domain.gaussian import normal_cdf
from domain.runtime_model import Configuration

DEFAULT_TYPE = "ml.m5.xlarge"
TRIES = 4
RANDOM_STARTS = 3

Runs = list[str]
"""Configurations of the runs so far."""
Rule = Callable[[Runs], str]


def _in_order(task: Task, order: Sequence[str]) -> Rule:
    """The first of an order; after a failure the next one."""

    def chosen(runs: Runs) -> str:
        gone = task.failed & set(runs)
        return next((name for name in order if name not in gone), order[0])

    return chosen


def always_default(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    """ml.m5.xlarge, and where the table has none the type of the middle price."""
    order = sorted(task.usd, key=lambda name: (table.configurations[name].usd_per_hour, name))
    named = [name for name in order if name.removeprefix("ml.") == DEFAULT_TYPE.removeprefix("ml.")]
    return _in_order(task, [*named, *order[len(order) // 2 :], *order])


def cheapest_per_hour(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    return _in_order(task, sorted(task.usd, key=lambda n: (table.configurations[n].usd_per_hour, n)))


def fastest(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    """The configuration on which the other workloads are fastest, in the mean of log seconds over their own mean."""
    logs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job in table.jobs:
        if job.workload != task.workload and not job.failed:
            logs[job.workload][job.configuration].append(math.log(job.seconds / job.size))
    pace: dict[str, list[float]] = defaultdict(list)
    for own in logs.values():
        level = statistics.mean(value for values in own.values() for value in values)
        for name, values in own.items():
            pace[name].append(statistics.mean(values) - level)
    return _in_order(
        task, sorted(task.usd, key=lambda n: (statistics.mean(pace[n]) if n in pace else 0.0, n))
    )


def plain_rule(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    """The rule without learning: runtime falls with vCPU ** 0.7 (price where the name shows no vCPUs), then price."""

    def expected(name: str) -> tuple[float, float, str]:
        one = table.configurations[name]
        return one.usd_per_hour / one.speed, one.usd_per_hour, name

    return _in_order(task, sorted(task.usd, key=expected))


def _best(task: Task, runs: Runs) -> str | None:
    well = [name for name in runs if name not in task.failed]
    return min(well, key=lambda name: (task.usd[name], name)) if well else None


def at_random(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    order = sorted(task.usd)
    random.Random(seed).shuffle(order)  # noqa: S311

    def chosen(runs: Runs) -> str:
        best = _best(task, runs)
        left = [name for name in order if name not in runs]
        return best if best and (len(runs) >= TRIES or not left) else (left or order)[0]

    return chosen


def bayesian_optimisation(table: Table, task: Task, seed: int) -> Rule:
    """A Gaussian process from scratch: three random runs, then the largest expected improvement."""
    order = sorted(task.usd)
    generator = random.Random(seed)  # noqa: S311
    features = _features([table.configurations[name] for name in order])

    def chosen(runs: Runs) -> str:
        best = _best(task, runs)
        left = [name for name in order if name not in runs]
        if best and (len(runs) >= TRIES or not left):
            return best
        if len(runs) < RANDOM_STARTS or best is None:
            return generator.choice(left or order)
        seen = sorted({name for name in runs if name not in task.failed})
        gains = _improvement(features, [order.index(n) for n in seen], [math.log(task.usd[n]) for n in seen])
        return max(left, key=lambda name: (gains[order.index(name)], name))

    return chosen


def _features(configurations: Sequence[Configuration]) -> np.ndarray:
    """Numbers as they are, words as one column each, and the price; each column with a deviation of one."""
    columns = [[math.log(one.usd_per_hour) for one in configurations]]
    for place in range(len(configurations[0].traits)):
        values = [one.traits[place] for one in configurations]
        if all(isinstance(value, float) for value in values):
            columns.append([float(value) for value in values])
        else:
            columns += [[float(value == word) for value in values] for word in sorted(set(map(str, values)))]
    matrix = np.array(columns).T
    scaled: np.ndarray = (matrix - matrix.mean(0)) / (matrix.std(0) + 1e-9)
    return scaled


def _improvement(features: np.ndarray, seen: list[int], costs: list[float]) -> list[float]:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    kernel = ConstantKernel(0.3, (1e-2, 5)) * Matern(2.0, (0.2, 20), nu=2.5) + WhiteKernel(1e-3, (1e-5, 1e-1))
    middle = statistics.mean(costs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process = GaussianProcessRegressor(kernel, random_state=0)
        process.fit(features[seen], np.array(costs) - middle)
        means, deviations = process.predict(features, return_std=True)
    gains = []
    for mean, deviation in zip(means + middle, deviations, strict=True):
        z = (min(costs) - mean) / (deviation + 1e-9)
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        gains.append(float((min(costs) - mean) * normal_cdf(z) + deviation * density))
    return gains


def learned(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    """The product's learner, with tries: `training.explore: on`."""
    return _learned(Learned.of(table, task), explore=True)


def learned_without_tries(table: Table, task: Task, seed: int) -> Rule:  # noqa: ARG001
    """The same, always at the least expected cost: `training.explore: off`, the default."""
    return _learned(Learned.of(table, task), explore=False)


def _learned(chooser: Learned, *, explore: bool) -> Rule:
    def chosen(runs: Runs) -> str:
        if runs:
            chooser.ended(runs[-1])
        return chooser.choose(len(runs), explore=explore)

    return chosen


RULES = {
    "learned": learned,
    "learned, without tries": learned_without_tries,
    "plain rule": plain_rule,
    "always ml.m5.xlarge": always_default,
    "cheapest per hour": cheapest_per_hour,
    "fastest": fastest,
    "random": at_random,
    "Bayesian optimisation": bayesian_optimisation,
}
SEEDS = {"random": 5, "Bayesian optimisation": 3}
"""Rules that draw are played so often; all others give the same each time."""
