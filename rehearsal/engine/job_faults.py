"""What SageMaker may lack or take away, and what may throttle. Told beforehand: at which job, how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rehearsal.engine.journal import Journal

FaultKind = Literal["no-capacity", "quota", "spot-interruption", "throttling"]
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
    "instance type."
)
NO_CAPACITY_TO_SERVE = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
)


@dataclass(frozen=True)
class Fault:
    """Jobs of a step or name, fleets of an endpoint, deliveries to a target: `times`, after the first `skip`."""

    kind: FaultKind
    job: str
    skip: int = 0
    times: int = 1


class Faults:
    """Counts the jobs and fleets that are asked for, and says which of them meets what."""

    def __init__(self, faults: tuple[Fault, ...], journal: Journal) -> None:
        self._asked = dict.fromkeys(faults, 0)
        self._journal = journal

    def met(self, kind: FaultKind, *, step: str, job: str) -> bool:
        """Does this job meet a fault of this kind? Asked once a job."""
        found = False
        for fault in self._asked:
            if fault.kind == kind and fault.job in (step, job):
                self._asked[fault] += 1
                found |= fault.skip < self._asked[fault] <= fault.skip + fault.times
        if found:
            self._journal.write("fault", fault=kind, step=step, job=job)
        return found


def quota_exceeded(instance_type: str, kind: str) -> str:
    """The message of ResourceLimitExceeded for a job of a kind, Training or Processing."""
    return (
        f"The account-level service limit '{instance_type} for {kind.lower()} job usage' is 0 Instances, with "
        "current utilization of 0 Instances and a request delta of 1 Instances. Please contact AWS support to "
        "request an increase for this limit."
    )
