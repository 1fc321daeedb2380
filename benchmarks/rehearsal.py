"""The whole rehearsal, warm: 137 days of real flights through the deployed loop, against the limits that we set."""

from __future__ import annotations

import sys

from benchmarks.process import run
from benchmarks.results import Claim

LIMIT_SECONDS, LIMIT_MB = 180, 1500


def measure() -> list[Claim]:
    usage = run([sys.executable, "-m", "rehearsal"])
    if usage.exit_code:
        raise SystemExit("the rehearsal failed; run `make rehearse` to see where")
    return [
        Claim(
            "make rehearse takes under 3 minutes, warm", round(usage.seconds, 1), LIMIT_SECONDS, "limit", "s"
        ),
        Claim("make rehearse holds under 1.5 GB", round(usage.peak_mb), LIMIT_MB, "limit", "MB"),
    ]
