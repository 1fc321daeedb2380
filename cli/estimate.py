"""What a month would cost, counted on the stacks as they would be synthesised, and against another commit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from cli.changes import checked_out
from cli.source import CommandError
from cli.terminal import console
from config.schema import ROOT, Config
from domain.estimate import Change, Line, Load, Serverless, Transforms, estimate
from domain.idle_cost import PRICES_AS_OF
from domain.names import WITHOUT_WHEELS

NOT_IN_IT = (
    f"List prices of {PRICES_AS_OF} in us-east-1, no free tier. Not in it: the functions' and the builds' seconds, "
    "logs, requests to S3 and KMS, mail, a release's second fleet."
)


def of_tree(
    config: Config, *, requests_per_day: float, request_bytes: float, answer_bytes: float
) -> list[Line]:
    """The lines of this tree's own stacks."""
    from stacks.app import build  # late: the CDK takes seconds to load
    from stacks.idle import choose_serving_instance, idle_cost_of
    from stacks.storage import CAPTURE_DAYS

    instance, serving = choose_serving_instance(config), config.serving
    os.environ[WITHOUT_WHEELS] = "1"  # wheels cost nothing
    app = build([config])
    load = Load(
        requests_per_day,
        request_bytes,
        answer_bytes,
        capture_percent=serving.capture_percent,
        capture_days=CAPTURE_DAYS,
    )
    beside = {
        "realtime": None,
        "serverless": Serverless(serving.serverless.memory_mb),
        "batch": Transforms(instance.usd_per_hour, serving.vcpus, serving.instance_count),
    }
    lines = estimate(
        idle_cost_of(app, config, instance),
        load,
        instances=f"{serving.instance_count} x {instance.instance_type}",
        training_budget_usd=config.budget_usd_per_month,
        beside=beside[serving.mode],
    )
    return list(lines)


def of_commit(revision: str, arguments: Sequence[str], root: Path = ROOT) -> list[Line]:
    """The lines of another commit, by its own code, configuration and prices; `arguments` as this command's own."""
    with checked_out(revision, root) as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=scratch,
            env={**os.environ, WITHOUT_WHEELS: "1"},
            capture_output=True,
            check=False,
            text=True,
        )
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise CommandError(f"{revision} cannot estimate itself: {why[0]}")
    return [Line(**line) for line in json.loads(done.stdout)]


def as_json(lines: Sequence[Line]) -> str:
    return json.dumps([asdict(line) for line in lines], indent=1)


def show(lines: Sequence[Line]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("USD a month", no_wrap=True)
    for name in ("at rest", "under load"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for line in lines:
        table.add_row(line.what, f"{line.idle_usd:.2f}", f"{line.load_usd:.2f}", line.how)
    sums = (sum(line.idle_usd for line in lines), sum(line.load_usd for line in lines))
    table.add_row("[bold]sum", *(f"[bold]{usd:.2f}" for usd in sums), "")
    console().print(table)
    print(NOT_IN_IT)


def show_changes(changes: Sequence[Change], revision: str) -> None:
    if not changes:
        print(f"as {revision}: no line differs by a cent")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"against {revision}", no_wrap=True)
    for name in ("before", "after", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in changes:
        table.add_row(one.what, f"{one.before_usd:.2f}", f"{one.after_usd:.2f}", f"{one.usd:+.2f}")
    table.add_row("[bold]sum", "", "", f"[bold]{sum(one.usd for one in changes):+.2f}")
    console().print(table)
