"""The cheapest instance that fits, after jobs have ended: their runtimes and their memory bound the next choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.counted import counted
from domain.finished_jobs import Growth, Job
from domain.instances import (
    VCPU_EXPONENT,
    Candidate,
    Choice,
    NothingFitsError,
    Workload,
    choose,
    why_cheapest,
)
from domain.job_record import JobRecord
from domain.learned_choice import MAX_MISS_CHANCE, Outlook, miss_chance, next_configuration
from domain.memory_cliff import mark_cliffs
from domain.prices import InstanceType, PriceBook
from domain.runtime_model import Configuration, predict, shape_of

TAIL = 2.132
"""Of Student's t with four degrees of freedom: one run in twenty lies above."""


LEAST_SAVING = 0.10
"""Of a job's expected cost; for less no type is changed."""


@dataclass(frozen=True)
class History:
    """The finished jobs of one component, and the rows of the next one."""

    jobs: tuple[JobRecord, ...]
    rows: int
    keep: str | None = None
    """The type of the last job, kept where prices are too old to change by."""
    explore: bool = False
    """Whether a run may try a type that is expected to be dearer now and may be cheaper for all later ones."""

    @classmethod
    def from_asked(cls, asked: Mapping[str, Any], *, frozen: bool, explore: bool) -> History:
        """From `finished` and `rows` of a question; `frozen` says that the prices are too old to change by."""
        jobs = tuple(JobRecord.from_json(job) for job in asked.get("finished", []))
        keep = jobs[-1].instance_type if jobs and frozen else None
        return cls(jobs, asked.get("rows", 0), keep, explore)


def memory_bound_gib(book: PriceBook, jobs: Sequence[Job], rows: int) -> float:
    """More memory than this is needed, in proportion to rows: what ran out of memory, or past a cliff, had less."""
    sizes = {one.name: one.memory_gib for one in book.types}
    return max(
        (sizes[j.configuration] * rows / j.size for j in jobs if j.failed and j.configuration in sizes),
        default=0,
    )


def _jobs(history: History) -> list[Job]:
    """Those that say something of runtime or memory; a capacity error or a bug says nothing of either."""
    known = [job for job in history.jobs if job.outcome in ("completed", "out-of-memory") and job.rows > 0]
    jobs = [
        Job(
            "own",
            job.instance_type,
            max(job.billed_seconds, 1.0),
            job.outcome != "completed",
            float(job.rows),
        )
        for job in known
    ]
    return mark_cliffs(jobs, least_runs=2)


def _configuration(instance: InstanceType) -> Configuration:
    family, _, _ = instance.name.removeprefix("ml.").partition(".")
    traits = (family, math.log2(instance.vcpus), math.log2(instance.memory_gib), float(instance.gpus))
    speed = float(instance.vcpus**VCPU_EXPONENT)
    return Configuration(instance.name, instance.usd_per_hour, traits, speed, instance.memory_gib)


@dataclass(frozen=True)
class _Expected:
    """One type's next job: what it will cost and how sure that is."""

    candidate: Candidate
    outlook: Outlook
    late: float


def _expected(
    instance: InstanceType, mean: float, variance: float, growth: Growth, deadline: float
) -> _Expected:
    spread = math.sqrt(variance + growth.noise)
    seconds = [math.exp(mean + tail * spread) for tail in (-TAIL, TAIL)]
    usd_per_second = instance.usd_per_hour / 3600
    outlook = Outlook(mean + math.log(usd_per_second), variance + growth.noise, 0.0)
    candidate = Candidate(
        instance.name,
        instance.usd_per_hour,
        round(math.exp(mean) / 60, 2),
        round(outlook.expected, 6),
        instance.estimated,
        (round(seconds[0] / 60, 2), round(seconds[1] / 60, 2)),
        (round(seconds[0] * usd_per_second, 6), round(seconds[1] * usd_per_second, 6)),
    )
    return _Expected(candidate, outlook, miss_chance(mean, variance + growth.noise, deadline))


def choose_learned(book: PriceBook, workload: Workload, history: History) -> Choice:
    """The cheapest types by what finished jobs show. Without one that ended well the plain rule stands.

    Raises NothingFitsError with the nearest relaxation.
    """
    jobs = _jobs(history)
    bound = memory_bound_gib(book, jobs, history.rows)
    bounded = replace(workload, memory_gib=max(workload.memory_gib, math.nextafter(bound, math.inf)))
    if all(job.failed for job in jobs) or history.rows < 1:
        return _kept(_bounded(choose(book, bounded), bound, history), history)
    plain = choose(book, replace(bounded, deadline_minutes=None))
    types = [book[one.instance_type] for one in plain.candidates]
    shape = shape_of([_configuration(one) for one in types], ())
    beliefs, growth = predict(shape, jobs, float(history.rows))
    deadline = 60 * (workload.deadline_minutes or math.inf)
    expected = [
        _expected(one, mean, variance, growth, deadline)
        for one, mean, variance in zip(types, beliefs.mean, beliefs.variance, strict=True)
    ]
    choice = _ranked(plain, expected, workload, history, jobs)
    return _kept(_bounded(choice, bound, history), history)


def _in_time(expected: Sequence[_Expected], workload: Workload) -> list[_Expected]:
    """Who keeps the deadline in 19 of 20 runs; if nobody does, the surest one that is expected to keep it."""
    fitting = [one for one in expected if one.late <= MAX_MISS_CHANCE]
    surest = min(expected, key=lambda one: (one.late, one.candidate.instance_type))
    if fitting or surest.late <= 0.5:
        return fitting or [surest]
    raise NothingFitsError(
        f"no {workload.component} type is expected to end within {workload.deadline_minutes:g} minutes; the quickest, "
        f"{surest.candidate.instance_type}, needs {surest.candidate.expected_minutes:.0f}: raise deadline_minutes"
    )


def _ranked(
    plain: Choice, expected: Sequence[_Expected], workload: Workload, history: History, jobs: Sequence[Job]
) -> Choice:
    """By expected cost; the last type stays first unless another one saves enough, or a try is allowed and pays."""
    fitting = sorted(
        _in_time(expected, workload),
        key=lambda one: (one.candidate.expected_usd, one.candidate.instance_type),
    )
    first, why = _first(fitting, history, jobs)
    ordered = [first.candidate, *(one.candidate for one in fitting if one is not first)]
    late = [
        (
            one.candidate.instance_type,
            f"deadline: {one.late:.0%} chance of more than {workload.deadline_minutes:g} minutes",
        )
        for one in expected
        if one not in fitting
    ]
    well = [job for job in jobs if not job.failed]
    low, high = first.candidate.minutes_range or (0.0, 0.0)
    learned = (
        f"learned from {counted(len(well), f'finished {workload.component} job')}: "
        f"{first.candidate.expected_minutes:.1f} minutes expected at {history.rows} rows, "
        f"9 in 10 between {low:.1f} and {high:.1f}"
    )
    return replace(
        plain,
        candidates=tuple(ordered),
        refused=tuple(sorted((*plain.refused, *late))),
        rule="cheapest-as-learned",
        reasons=(why or why_cheapest(first.candidate, workload), learned, *_unsure(first, workload)),
    )


def _unsure(first: _Expected, workload: Workload) -> tuple[str, ...]:
    if first.late <= MAX_MISS_CHANCE:
        return ()
    return (
        f"no type keeps the deadline of {workload.deadline_minutes:g} minutes in 19 of 20 runs; "
        f"this one is the surest: {first.late:.0%} chance of more",
    )


def _first(fitting: Sequence[_Expected], history: History, jobs: Sequence[Job]) -> tuple[_Expected, str]:
    """The type for the next run, and why if it is not simply the cheapest."""
    cheapest = fitting[0]
    if history.explore:
        seen = {job.configuration for job in jobs if not job.failed}
        paid = {
            i: one.candidate.expected_usd
            for i, one in enumerate(fitting)
            if one.candidate.instance_type in seen
        }
        tried = fitting[next_configuration([one.outlook for one in fitting], paid, tries=len(seen))]
        name = tried.candidate.instance_type
        return tried, "" if name in seen else f"{name} is tried: it may be cheaper for all later runs"
    last = next(
        (one for one in fitting if one.candidate.instance_type == history.jobs[-1].instance_type), cheapest
    )
    saving = 1 - cheapest.candidate.expected_usd / last.candidate.expected_usd
    if last is cheapest or saving >= LEAST_SAVING:
        return cheapest, ""
    return last, (
        f"{last.candidate.instance_type} is kept at {last.candidate.expected_usd:.4f} USD a job: "
        f"{cheapest.candidate.instance_type} would save {saving:.0%}, and a type is changed for {LEAST_SAVING:.0%}"
    )


def _bounded(choice: Choice, bound_gib: float, history: History) -> Choice:
    if not bound_gib:
        return choice
    said = f"jobs ran out of memory: at {history.rows} rows more than {bound_gib:.1f} GiB are needed"
    return replace(choice, reasons=(*choice.reasons, said))


def _kept(choice: Choice, history: History) -> Choice:
    """With prices too old to change by, the last type stays, if it fits."""
    kept = [one for one in choice.candidates if one.instance_type == history.keep]
    if not kept or kept[0] is choice.winner:
        return choice
    rest = tuple(one for one in choice.candidates if one is not kept[0])
    said = f"{history.keep} is kept: the prices are too old to change the type by"
    return replace(
        choice, candidates=(kept[0], *rest), rule="prices-too-old", reasons=(said, *choice.reasons[1:])
    )
