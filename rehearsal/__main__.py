"""`make rehearse`: the life of a model on one machine, from the very templates that `cdk deploy` sends."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from rich.console import Console

from config.delivery import load_delivery
from config.schema import ConfigError, load, load_environments
from rehearsal.engine import Account
from rehearsal.engine.delivery import docker
from rehearsal.report.page import render
from rehearsal.report.story import tell
from rehearsal.scenarios.deployment import ROOT, Deployment, synthesise
from rehearsal.scenarios.display import Display
from rehearsal.scenarios.expectations import check
from rehearsal.scenarios.flights import FLIGHTS
from rehearsal.scenarios.quality import compare
from rehearsal.scenarios.summary import print_summary, summarise
from rehearsal.scenarios.turn import Pipeline, Scenario, live_schema, play
from rehearsal.table.unusable import Unusable

HELD, FAILED, UNUSABLE, REFUSED = 0, 1, 2, 3
"""Exit codes: all held; an expectation did not; nothing was started; the gate refused the first model."""


@dataclass(frozen=True)
class Stage:
    """What is played, and where it comes from."""

    scenario: Scenario
    config: Path
    assembly: Path
    repository: Path = ROOT
    pipeline: Pipeline | None = None
    """The way in; without one everything is deployed directly."""


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
        "--no-engine", action="store_true", help="build no image with docker or podman, even if there is one"
    )
    parser.add_argument(
        "--retrains", type=int, default=FLIGHTS.retrains, help="how many an alarm must start at least"
    )
    own = parser.add_argument_group("your own table")
    own.add_argument("--data", type=Path, help="a CSV file, plain or gzipped")
    own.add_argument("--target", help="the column to predict")
    own.add_argument("--time", help="the column that dates each row")
    own.add_argument("--task", help="binary or regression (default: what the target looks like)")
    return parser.parse_args()


def stage(args: argparse.Namespace, console: Console) -> Stage:
    """The example, or the table that somebody brings."""
    if args.data is not None:
        return own_stage(args, console)
    clear(args.out)
    end = args.until.replace(tzinfo=UTC) if args.until else FLIGHTS.end
    scenario = replace(FLIGHTS, tables=args.tables, end=end, retrains=args.retrains)
    assembly = args.assembly or synthesise(args.out / "cdk.out")
    pipeline = None if args.direct or args.assembly else pipeline_of(args, args.config, assembly, ROOT)
    return Stage(scenario, args.config, assembly, pipeline=pipeline)


def own_stage(args: argparse.Namespace, console: Console) -> Stage:
    from rehearsal.table.prepare import prepare, question  # late: pandas takes half a second

    prepared = prepare(question(args.data, args.target, args.time, args.task))
    clear(args.out)
    from rehearsal.scenarios.own_table import ready

    base = load(args.config)
    scenario, repository = ready(prepared, base, args.out, console)
    config = repository / "config" / f"{base.environment}.yaml"
    assembly = synthesise(args.out / "cdk.out", repository)
    return Stage(scenario, config, assembly, repository, pipeline_of(args, config, assembly, repository))


def clear(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)


def run(stage: Stage, *, out: Path, console: Console) -> dict:
    """Play a scenario against one environment of an assembly; returns the summary."""
    config, scenario = load(stage.config), stage.scenario
    start = scenario.start - timedelta(hours=2)
    with Account(start=start, directory=out / "account", region=config.region) as account:
        account.journal.listeners.append(Display(console))
        directory = stage.assembly / f"assembly-{config.environment}"
        deployment = Deployment(account, config, directory, stage.repository)
        outcome = play(deployment, scenario, stage.pipeline)
        findings, quality = check(outcome), None
        schema = None if outcome.stopped else live_schema(deployment)
        if outcome.world and schema:
            quality = compare(deployment, scenario, outcome.world, schema, outcome.calendar)
        summary = summarise(outcome, findings, quality)
        told = (out / "inference.json").read_text() if (out / "inference.json").exists() else "{}"
        (out / "rehearsal-report.html").write_text(render(tell(outcome, summary, json.loads(told))))
        (out / "ledger.json").write_text(json.dumps(deployment.ledger(), indent=1, sort_keys=True))
    return summary


def pipeline_of(
    args: argparse.Namespace, config_path: Path, assembly: Path, repository: Path
) -> Pipeline | None:
    """The pipeline that delivers this environment, if there is one: a push is then the way in."""
    config = load(config_path)
    delivery = load_delivery(repository / "config", load_environments(repository / "config"))
    if delivery is None or delivery.name != config.name or delivery.environments != [config.environment]:
        return None
    return Pipeline(delivery, assembly, "" if args.no_engine else docker.engine_of_this_machine())


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no child process outlives us
    args = arguments()
    console, began = Console(width=None if sys.stdout.isatty() else 160), perf_counter()
    try:
        load(args.config)
        played = stage(args, console)
    except (ConfigError, Unusable) as error:
        print(f"make rehearse: {error}", file=sys.stderr)
        return UNUSABLE
    summary = run(played, out=args.out, console=console)
    (args.out / "summary.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
    print_summary(summary, console)
    report = args.out / "rehearsal-report.html"
    console.print(f"\n{perf_counter() - began:.0f} s. The whole story: {report}. An emulation, not AWS.")
    if not summary["passed"]:
        return FAILED
    return REFUSED if summary["refused"] else HELD


if __name__ == "__main__":
    sys.exit(main())
