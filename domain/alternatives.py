"""What the next smaller, the next larger and a GPU would have meant: sentences beside a choice of a training type."""

from __future__ import annotations

from domain.instances import Candidate, Choice, Workload
from domain.prices import InstanceType, PriceBook


def _family(name: str) -> str:
    return name.rpartition(".")[0]


def _against(winner: Candidate, other: Candidate) -> str:
    """Cost and time of another type, relative to the winner's."""
    assert winner.expected_minutes
    assert other.expected_minutes
    cost = other.expected_usd / winner.expected_usd - 1
    time = other.expected_minutes / winner.expected_minutes - 1
    return f"costs {cost:+.0%} for {time:+.0%} time"


def _scaled(book: PriceBook, choice: Choice, times: float, words: str) -> list[str]:
    """The type of the same family with so many times the memory."""
    winner = book[choice.winner.instance_type]
    wanted = times * winner.memory_gib
    for one in book.types:
        if _family(one.name) == _family(winner.name) and one.memory_gib == wanted:
            refused, fitting = dict(choice.refused), {each.instance_type: each for each in choice.candidates}
            if one.name in fitting:
                return [f"{words}, {one.name}, {_against(choice.winner, fitting[one.name])}"]
            if one.name in refused:
                return [f"{words}, {one.name}, is refused: {refused[one.name]}"]
    return []


def _gpu(book: PriceBook, choice: Choice, workload: Workload) -> list[str]:
    """How much faster the cheapest GPU must be to pay."""
    winner = book[choice.winner.instance_type]
    if winner.gpus:
        return []

    def able(one: InstanceType) -> bool:
        return (
            bool(one.gpus)
            and workload.component in one.components
            and one.architecture == workload.architecture
        )

    found = min(
        (one for one in book.types if able(one)), key=lambda one: (one.usd_per_hour, one.name), default=None
    )
    if found is None:
        return []
    no_key = (
        "; its local disk takes no KMS volume key" if found.local_nvme and workload.volume_encrypted else ""
    )
    ratio = found.usd_per_hour / winner.usd_per_hour
    return [f"a GPU ({found.name}) would have to be {ratio:.1f} times faster to pay{no_key}"]


def alternatives(book: PriceBook, choice: Choice, workload: Workload) -> tuple[str, ...]:
    """Sentences for the decision; none for an endpoint, which has no runtime."""
    if not choice.winner.expected_minutes:
        return ()
    return (
        *_scaled(book, choice, 0.5, "half of it"),
        *_scaled(book, choice, 2.0, "twice of it"),
        *_gpu(book, choice, workload),
    )
