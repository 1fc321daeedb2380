"""The app as a value: tests and the rehearsal synthesise the very same stacks that `cdk deploy` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk

from config.schema import ROOT, Config, load_environments
from stacks.stage import TidelineStage


def build(
    environments: Sequence[Config] | None = None, *, outdir: Path | None = None, context: dict | None = None
) -> cdk.App:
    """One stage an environment. `context` is what cdk.json holds when the CLI does not bring it."""
    app = cdk.App(analytics_reporting=False, outdir=str(outdir) if outdir else None, context=context)
    for config in environments if environments is not None else load_environments(ROOT / "config"):
        TidelineStage(app, config)
    return app
