"""Synthesis of all environments, validation off and bytecode compiled, against the limit that we set."""

from __future__ import annotations

import json
import sys
import tempfile

from benchmarks.process import ROOT, run
from benchmarks.results import Claim

LIMIT_SECONDS = 3


def measure() -> list[Claim]:
    context = json.dumps(json.loads((ROOT / "cdk.json").read_text())["context"])
    seconds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as outdir:
            env = {"CDK_OUTDIR": outdir, "CDK_CONTEXT_JSON": context, "CDK_VALIDATION": "false"}
            seconds.append(run([sys.executable, "app.py"], env).seconds)
    return [
        Claim(
            "synth takes under 3 s (median of three)",
            round(sorted(seconds)[1], 2),
            LIMIT_SECONDS,
            "limit",
            "s",
        )
    ]
