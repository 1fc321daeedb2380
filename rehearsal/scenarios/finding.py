"""What an expectation says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One expectation and whether it held; `where` says what to look at if it did not."""

    expectation: str
    held: bool
    where: str = ""
