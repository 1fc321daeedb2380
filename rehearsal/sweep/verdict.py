"""What came of a mutant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["caught", "survived", "open"]


@dataclass(frozen=True)
class Verdict:
    """`open`: the quick way cannot tell. `by` names what a rehearsal's report would have said, or where it stopped."""

    state: State
    by: str = ""
    where: str = ""
