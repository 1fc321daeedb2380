"""What an expectation comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rehearsal.scenarios.turn import Outcome


@dataclass(frozen=True)
class Finding:
    """One expectation and whether it held; `where` says what to look at if it did not."""

    expectation: str
    held: bool
    where: str = ""


Expectation = Callable[[Outcome], Iterator[Finding]]
