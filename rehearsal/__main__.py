"""`make rehearse`: the life of a model on one machine, from the very templates that `cdk deploy` sends."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from config.delivery import load_delivery
from config.schema import ConfigError, load, load_environments
from rehearsal.engine import Account
from rehearsal.scenarios.deployment import ROOT, Deployment, synthesise
from rehearsal.scenarios.display import Display
from rehearsal.scenarios.expectations import check
from rehearsal.scenarios.flights import FLIGHTS
from rehearsal.scenarios.quality import compare
from rehearsal.scenarios.summary import print_summary, summarise
from rehearsal.scenarios.turn import Pipeline, Scenario, live_schema, play


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    parser.add_argument(
        "--config", type=Path, default=ROOT / "config" / "dev.yaml", help="the environment to deploy"
    )
    parser.add_argument(
        "--assembly", type=Path, help="a cloud assembly that is there already (default: synthesise)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "rehearsal", help="where the results go")
    parser.add_argument(
        "--tables", type=Path, default=FLIGHTS.tables, help="a folder of prepared months, YYYY-MM.csv.gz"
    )
    parser.add_argument("--until", type=datetime.fromisoformat, help="end earlier, such as 2013-03-20")
    parser.add_argument(
        "--direct", action="store_true", help="deploy without the pipeline (so it is with --assembly)"
    )
    parser.add_argument(
        "--retrains", type=int, default=FLIGHTS.retrains, help="how many an alarm must start at least"
    )
    return parser.parse_args()


def run(
    scenario: Scenario,
    *,
    config_path: Path,
    assembly: Path,
    out: Path,
    console: Console,
    pipeline: Pipeline | None = None,
) -> dict:
    """Play a scenario against one environment of an assembly; returns the summary."""
    config = load(config_path)
    start = scenario.start - timedelta(hours=2)
    with Account(start=start, directory=out / "account", region=config.region) as account:
        account.journal.listeners.append(Display(console))
        deployment = Deployment(account, config, assembly / f"assembly-{config.environment}")
        outcome = play(deployment, scenario, pipeline)
        findings, quality = check(outcome), None
        schema = None if outcome.stopped else live_schema(deployment)
        if outcome.world and schema:
            quality = compare(deployment, outcome.world, task=schema["task"])
        summary = summarise(outcome, findings, quality)
        (out / "ledger.json").write_text(json.dumps(deployment.ledger(), indent=1, sort_keys=True))
    return summary


def pipeline_of(config_path: Path, assembly: Path) -> Pipeline | None:
    """The pipeline that delivers this environment, if there is one: a push is then the way in."""
    config = load(config_path)
    delivery = load_delivery(ROOT / "config", load_environments(ROOT / "config"))
    if delivery is None or delivery.name != config.name or delivery.environments != [config.environment]:
        return None
    return Pipeline(delivery, assembly)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no child process outlives us
    args = arguments()
    try:
        load(args.config)
    except ConfigError as error:
        sys.exit(f"make rehearse: {error}")
    console, began = Console(width=None if sys.stdout.isatty() else 160), perf_counter()
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    assembly = args.assembly or synthesise(args.out / "cdk.out")
    end = args.until.replace(tzinfo=UTC) if args.until else FLIGHTS.end
    scenario = replace(FLIGHTS, tables=args.tables, end=end, retrains=args.retrains)
    pipeline = None if args.direct or args.assembly else pipeline_of(args.config, assembly)
    summary = run(
        scenario, config_path=args.config, assembly=assembly, out=args.out, console=console, pipeline=pipeline
    )
    (args.out / "summary.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
    print_summary(summary, console)
    console.print(
        f"\n{perf_counter() - began:.0f} s. The whole story: {args.out / 'summary.json'}. An emulation, not AWS."
    )
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
