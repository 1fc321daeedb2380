"""What the ledger keeps of each job of a run that ended: where it ran, how long it was billed, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

OUT_OF_MEMORY = re.compile(
    r"out.?of.?memory|memory ?error|cannot allocate|\bOOM\b|exit code:? ?137|signal 9", re.I
)
CAPACITY = re.compile(r"capacity ?error|insufficient.{0,20}capacity", re.I)
MOST_RECENT = 100
"""Of the jobs of a component that a choice looks at."""


@dataclass(frozen=True)
class JobRecord:
    """One job. `outcome` is completed, out-of-memory, capacity, or failed for any other reason."""

    component: str
    instance_type: str
    billed_seconds: float
    outcome: str
    rows: int = 0
    """Of the snapshot; 0 where the run is older than this record."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> JobRecord:
        return cls(**raw)


def outcome_of(status: str, reason: str) -> str:
    """What SageMaker says of a job that ended, in one word.

    >>> outcome_of("Failed", "AlgorithmError: , exit code: 137")
    'out-of-memory'
    >>> outcome_of("Failed", "CapacityError: Unable to provision requested ML compute capacity")
    'capacity'
    """
    if status == "Completed":
        return "completed"
    if OUT_OF_MEMORY.search(reason):
        return "out-of-memory"
    return "capacity" if CAPACITY.search(reason) else "failed"


def of_component(runs: Iterable[Mapping[str, Any]], component: str) -> list[JobRecord]:
    """From the ledger's runs: the longest job of the component in each, the latest runs last."""
    ended = sorted((run for run in runs if run.get("jobs")), key=lambda run: str(run.get("settled_at", "")))
    found = []
    for run in ended:
        own = [job for job in map(JobRecord.from_json, run["jobs"]) if job.component == component]
        if own:
            found.append(max(own, key=lambda job: (job.outcome == "out-of-memory", job.billed_seconds)))
    return found[-MOST_RECENT:]
