"""Which instance a job or an endpoint gets: component, memory, deadline, then price. Each refusal has its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from domain.prices import InstanceType, PriceBook

VCPU_EXPONENT = 0.7
"""Runtime falls with vCPU ** 0.7: the prior of measured scikit-learn jobs (0 for one thread, 1 for a perfect split)."""
BILLED_START_MINUTES = 3.0
"""SageMaker bills the start and the download of a job; a job's cost includes them."""


@dataclass(frozen=True)
class Workload:
    """What the chosen instance must do. `minutes_on_one_vcpu` and `deadline_minutes` are None for an endpoint."""

    component: str
    memory_gib: float
    vcpus: int = 1
    architecture: str = "x86_64"
    volume_encrypted: bool = True
    minutes_on_one_vcpu: float | None = None
    deadline_minutes: float | None = None
    use_estimates: bool = True
    """Whether a type may win whose price is only estimated."""


@dataclass(frozen=True)
class Candidate:
    """A type that fits, and what it would cost: dollars a job, or dollars an hour for an endpoint."""

    instance_type: str
    usd_per_hour: float
    expected_minutes: float | None
    expected_usd: float
    price_is_estimated: bool = False
    minutes_range: tuple[float, float] | None = None
    """Nine runs in ten lie within; None where no job has ended yet."""
    usd_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Choice:
    """The types that fit, cheapest first, and why each other one was refused."""

    candidates: tuple[Candidate, ...]
    refused: tuple[tuple[str, str], ...]
    prices_as_of: str
    rule: str = "cheapest-that-fits"
    reasons: tuple[str, ...] = ()

    @property
    def winner(self) -> Candidate:
        return self.candidates[0]


class NothingFitsError(ValueError):
    """No instance type meets the workload; the message names the nearest relaxation."""


def expected_minutes(minutes_on_one_vcpu: float, vcpus: int) -> float:
    """Runtime on `vcpus`: T(v) = T(1) / v ** 0.7.

    >>> round(expected_minutes(10, 4), 2)
    3.79
    """
    return minutes_on_one_vcpu / float(vcpus**VCPU_EXPONENT)


def refusal(instance: InstanceType, workload: Workload) -> str | None:
    """Why this type cannot do the work, or None if it can; the first reason in the order of the rule."""
    if workload.component not in instance.components:
        return f"SageMaker does not offer it for {workload.component}"
    if instance.architecture != workload.architecture:
        return f"its architecture is {instance.architecture}; the image is {workload.architecture}"
    if workload.volume_encrypted and instance.local_nvme:
        return "its local NVMe disk takes no KMS volume key"
    if instance.estimated and not workload.use_estimates:
        return "its price is only estimated from EC2's; `prices.estimates: use` would allow it"
    if instance.memory_gib < workload.memory_gib:
        return f"memory: {instance.memory_gib:g} GiB is below {workload.memory_gib:g} GiB"
    if instance.vcpus < workload.vcpus:
        return f"vCPUs: {instance.vcpus} is below {workload.vcpus}"
    if workload.minutes_on_one_vcpu is not None and workload.deadline_minutes is not None:
        minutes = expected_minutes(workload.minutes_on_one_vcpu, instance.vcpus)
        if minutes > workload.deadline_minutes:
            return f"deadline: {minutes:.1f} expected minutes are above {workload.deadline_minutes:g}"
    return None


def _cost(instance: InstanceType, workload: Workload) -> Candidate:
    if workload.minutes_on_one_vcpu is None:
        return Candidate(
            instance.name, instance.usd_per_hour, None, instance.usd_per_hour, instance.estimated
        )
    minutes = expected_minutes(workload.minutes_on_one_vcpu, instance.vcpus)
    usd = instance.usd_per_hour * (BILLED_START_MINUTES + minutes) / 60
    return Candidate(
        instance.name, instance.usd_per_hour, round(minutes, 2), round(usd, 6), instance.estimated
    )


def _nearest(book: PriceBook, workload: Workload) -> str:
    """What the table could do at most for this component, architecture and disk."""
    unbounded = replace(workload, memory_gib=0, vcpus=0, deadline_minutes=None)
    able = [instance for instance in book.types if refusal(instance, unbounded) is None]
    if not able:
        disk = " with an encrypted volume" if workload.volume_encrypted else ""
        return (
            f"the price table of {book.region} has no {workload.architecture} type "
            f"for {workload.component}{disk}; add one to it"
        )
    memory, vcpus = max(i.memory_gib for i in able), max(i.vcpus for i in able)
    advice = f"its {workload.component} types have up to {memory:g} GiB and {vcpus} vCPUs"
    if workload.minutes_on_one_vcpu is not None:
        fastest = expected_minutes(workload.minutes_on_one_vcpu, vcpus)
        advice += f", and the fastest takes {fastest:.1f} expected minutes"
    return f"{advice}: lower memory_gib or vcpus, or raise deadline_minutes"


def choose(book: PriceBook, workload: Workload) -> Choice:
    """The cheapest types that fit; ties go to the lower price an hour, then to the name.

    Raises NothingFitsError with the nearest relaxation.
    """
    reasons = {instance.name: refusal(instance, workload) for instance in book.types}
    fitting = [_cost(instance, workload) for instance in book.types if reasons[instance.name] is None]
    if not fitting:
        raise NothingFitsError(f"no instance type fits {workload}: {_nearest(book, workload)}")
    ordered = sorted(fitting, key=lambda c: (c.expected_usd, c.usd_per_hour, c.instance_type))
    refused = tuple((name, reason) for name, reason in sorted(reasons.items()) if reason is not None)
    return Choice(
        tuple(ordered), refused, book.as_of.isoformat(), reasons=(why_cheapest(ordered[0], workload),)
    )


def why_cheapest(winner: Candidate, workload: Workload) -> str:
    """One sentence for the ledger."""
    unit = "an hour" if winner.expected_minutes is None else "a job"
    source = ", by a price estimated from EC2's" if winner.price_is_estimated else ""
    return (
        f"{winner.instance_type} is the cheapest {workload.component} type that fits: "
        f"{winner.expected_usd:.4f} USD {unit}{source}"
    )


def micro_usd(usd: float) -> int:
    """Dollars as whole millionths, rounded up, so that sums of reservations are exact.

    >>> micro_usd(0.115)
    115000
    """
    return math.ceil(round(usd * 1e6, 3))
