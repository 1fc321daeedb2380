"""Synthesis of all environments, validation off and bytecode compiled, against the limit that we set."""

from __future__ import annotations

import json
import sys
import tempfile

from benchmarks.process import ROOT, Usage, run
from benchmarks.results import Claim

LIMIT_SECONDS = 3


def measure() -> list[Claim]:
    context = json.dumps(json.loads((ROOT / "cdk.json").read_text())["context"])
    seconds = []
    _require(run(["make", "assets"]), "make assets")
    for _ in range(3):
        with tempfile.TemporaryDirectory() as outdir:
            env = {"CDK_OUTDIR": outdir, "CDK_CONTEXT_JSON": context, "CDK_VALIDATION": "false"}
            seconds.append(_require(run([sys.executable, "app.py"], env), "python app.py").seconds)
    return [
        Claim(
            "synth takes under 3 s (median of three)",
            round(sorted(seconds)[1], 2),
            LIMIT_SECONDS,
            "limit",
            "s",
        )
    ]


def _require(usage: Usage, command: str) -> Usage:
    """A command that failed took no time that says anything."""
    if usage.exit_code:
        raise SystemExit(f"`{command}` failed; run it to see why")
    return usage
