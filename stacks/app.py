"""The app as a value: tests and the rehearsal synthesise the very same stacks that `cdk deploy` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import aws_cdk as cdk

from config.delivery import Delivery, load_delivery
from config.schema import ROOT, Config, load_environments
from domain.names import delivery_name
from stacks.stage import TidelineStage


def build(
    environments: Sequence[Config] | None = None,
    *,
    delivery: Delivery | None = None,
    outdir: Path | None = None,
    context: dict | None = None,
) -> cdk.App:
    """One stage an environment and, at the top level, the one stack of the delivery: a bare `cdk deploy` takes it.

    Without `environments`, both are read from config/. `context` is what cdk.json holds when the CLI does not bring it.
    """
    app = cdk.App(
        analytics_reporting=False,
        tree_metadata=False,
        outdir=str(outdir) if outdir else None,
        context=context,
    )
    if environments is None:
        environments = load_environments(ROOT / "config")
        delivery = load_delivery(ROOT / "config", environments)
    if delivery:
        from stacks.delivery import DeliveryStack  # late: the libraries that it alone needs

        DeliveryStack(
            app,
            "Delivery",
            delivery=delivery,
            env=cdk.Environment(region=delivery.region),
            stack_name=delivery_name(delivery.name),
        )
    for config in environments:
        TidelineStage(app, config)
    return app
