"""Anyone's table of measured runs: workload, configuration, price (an hour), runtime (s), failed, size."""

from __future__ import annotations

import csv
import itertools
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.finished_jobs import Job
from domain.instances import VCPU_EXPONENT
from domain.runtime_model import Configuration, Trait

COLUMNS = ("workload", "configuration", "price", "runtime", "failed", "size")
TRUE = {"1", "true", "yes", "t", "y"}
FALSE = {"0", "false", "no", "f", "n", ""}


class TableError(ValueError):
    """A table that cannot be read; the message says which row and what is allowed."""


@dataclass(frozen=True)
class Task:
    """One workload at one size: what each configuration took and cost there. Failed runs are charged too."""

    workload: str
    size: float
    seconds: Mapping[str, float]
    usd: Mapping[str, float]
    failed: frozenset[str]

    @property
    def ended_well(self) -> dict[str, float]:
        return {name: usd for name, usd in self.usd.items() if name not in self.failed}

    @property
    def least_usd(self) -> float:
        return min(self.ended_well.values())


@dataclass(frozen=True)
class Table:
    """All jobs, and the configurations with what can be told of them from name and price."""

    jobs: tuple[Job, ...]
    configurations: Mapping[str, Configuration]

    def tasks(self) -> list[Task]:
        """Every workload at every size where it ran on two configurations and one run ended well."""
        grouped: dict[tuple[str, float], list[Job]] = defaultdict(list)
        for job in self.jobs:
            grouped[job.workload, job.size].append(job)
        found = [self._task(own) for _, own in sorted(grouped.items())]
        return [task for task in found if len(task.usd) > 1 and task.ended_well]

    def _task(self, jobs: Sequence[Job]) -> Task:
        runs: dict[str, list[Job]] = defaultdict(list)
        for job in jobs:
            runs[job.configuration].append(job)
        # A configuration fails if most of its runs did.
        failed = frozenset(name for name, own in runs.items() if 2 * sum(j.failed for j in own) > len(own))
        seconds = {
            name: statistics.median(j.seconds for j in own if j.failed == (name in failed))
            for name, own in runs.items()
        }
        usd = {name: self.configurations[name].usd_per_hour * took / 3600 for name, took in seconds.items()}
        return Task(jobs[0].workload, jobs[0].size, seconds, usd, failed)


def _number(cells: Mapping[str, str], column: str, line: int) -> float:
    try:
        value = float(cells[column])
    except (ValueError, TypeError):
        value = math.nan
    if not 0 < value < math.inf:
        raise TableError(f"row {line}: {column}: got {cells[column]!r}; allowed: a number above zero")
    return value


def _is_given(text: str | None) -> bool:
    """Empty, nan and zero mean that nobody knows."""
    return (text or "").strip().lower() not in ("", "nan", "none", "null", "0", "0.0")


def _failed(cells: Mapping[str, str], line: int) -> bool:
    text = (cells["failed"] or "").strip().lower().removesuffix(".0")
    if text not in TRUE | FALSE:
        raise TableError(f"row {line}: failed: got {cells['failed']!r}; allowed: 1, 0, true, false, yes, no")
    return text in TRUE


def _rows(lines: Iterable[str]) -> Iterator[tuple[Job, float]]:
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise TableError(f"the table lacks {', '.join(missing)}; its columns must be {', '.join(COLUMNS)}")
    for line, cells in enumerate(reader, start=2):
        failed = _failed(cells, line)
        size = _number(cells, "size", line) if _is_given(cells["size"]) else 1.0
        price = _number(cells, "price", line)
        # A failed run without a time is charged below, as the workload's longest.
        took = 0.0 if failed and not _is_given(cells["runtime"]) else _number(cells, "runtime", line)
        yield Job(cells["workload"], cells["configuration"], took, failed, size), price


def read_table(path: Path) -> Table:
    """Raises TableError for a row that cannot be read."""
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(_rows(lines))
    if not rows:
        raise TableError(f"{path} has no rows")
    longest: dict[str, float] = defaultdict(float)
    for job, _ in rows:
        longest[job.workload] = max(longest[job.workload], job.seconds)
    prices: dict[str, list[float]] = defaultdict(list)
    for job, price in rows:
        prices[job.configuration].append(price)
    jobs = tuple(
        Job(job.workload, job.configuration, job.seconds or longest[job.workload], job.failed, job.size)
        for job, _ in rows
        if job.seconds or longest[job.workload]
    )
    return Table(jobs, describe({name: statistics.median(own) for name, own in prices.items()}))


SIZES = {"nano": 0.25, "micro": 0.5, "small": 0.5, "medium": 1.0, "large": 2.0, "xlarge": 4.0}
GIB_PER_VCPU = {"c": 2.0, "m": 4.0, "r": 8.0, "x": 16.0}
"""Of the families whose names begin so."""


def _vcpus(text: str) -> float | None:
    """Of an AWS size, such as 2xlarge."""
    sized = re.fullmatch(r"(\d*)xlarge", text)
    return 4.0 * int(sized[1] or 1) if sized else SIZES.get(text)


def _token(text: str) -> Trait:
    """A number or an AWS size as its logarithm, anything else as a word."""
    vcpus = _vcpus(text)
    if vcpus is not None:
        return math.log2(vcpus)
    return math.log2(int(text)) if re.fullmatch(r"\d+", text) and int(text) > 0 else text


def _traits(split: Mapping[str, Sequence[str]]) -> dict[str, tuple[Trait, ...]]:
    """What differs between the names, place by place; nothing if they are not made of as many parts."""
    places = {len(tokens) for tokens in split.values()}
    columns: list[dict[str, Trait]] = []
    for place in range(places.pop() if len(places) == 1 else 0):
        values: dict[str, Trait] = {name: _token(tokens[place]) for name, tokens in split.items()}
        if any(isinstance(value, str) for value in values.values()):
            values = {name: tokens[place] for name, tokens in split.items()}
        if len(set(values.values())) > 1:
            columns.append(values)
    return {name: tuple(values[name] for values in columns) for name in split}


def _machine(tokens: Sequence[str]) -> tuple[float, float] | None:
    """vCPUs and GiB of all nodes, if the name has an AWS type such as `4 x r5.2xlarge`; a lone number counts nodes."""
    for family, size in itertools.pairwise(tokens):
        vcpus, known = _vcpus(size), re.fullmatch(r"([a-z]+)\d+[a-z]*", family)
        if vcpus is not None and known and known[1] in GIB_PER_VCPU:
            nodes = math.prod(int(one) for one in tokens if one.isdigit() and int(one) > 0)
            return nodes * vcpus, nodes * vcpus * GIB_PER_VCPU[known[1]]
    return None


def describe(usd_per_hour: Mapping[str, float]) -> dict[str, Configuration]:
    """Each configuration with the traits that its name shows; where it shows no machine, the price stands for it."""
    split = {name: re.findall(r"[a-z0-9]+", name.lower()) for name in usd_per_hour}
    machines = {name: _machine(tokens) for name, tokens in split.items()}
    shown = all(machines.values())
    traits = _traits(split)
    sizes = {name: (machines[name] if shown else None) or (usd, usd) for name, usd in usd_per_hour.items()}
    middle = statistics.median(vcpus for vcpus, _ in sizes.values())
    return {
        name: Configuration(
            name,
            usd,
            traits[name] or (math.log2(usd),),
            (sizes[name][0] / middle) ** VCPU_EXPONENT,
            sizes[name][1],
        )
        for name, usd in usd_per_hour.items()
    }
