"""What a rehearsal imports ahead is third-party and locked: our own code is imported anew each time."""

from __future__ import annotations

import re

from rehearsal.__main__ import SLOW_TO_IMPORT
from rehearsal.scenarios.deployment import ROOT


def test_what_is_imported_ahead_is_a_locked_package() -> None:
    locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements" / "lean.txt").read_text(), re.MULTILINE)
    assert set(SLOW_TO_IMPORT) - set(locked) == set()
