"""`make rehearse`: the life of a model on one machine, from the very templates that `cdk deploy` sends."""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from config.delivery import load_delivery
from config.schema import ConfigError, load
from rehearsal.engine import Account, dashboards, functions, warm_python
from rehearsal.engine.delivery import docker
from rehearsal.report import dashboard
from rehearsal.report.page import render
from rehearsal.report.story import tell
from rehearsal.scenarios.deployment import ROOT, Deployment, synthesise
from rehearsal.scenarios.display import Display
from rehearsal.scenarios.evaluations import EVALUATIONS, artefacts, evaluations
from rehearsal.scenarios.expectations import check
from rehearsal.scenarios.expected import Expected
from rehearsal.scenarios.keep import keep_up
from rehearsal.scenarios.load import STANDARD, Loaded, find
from rehearsal.scenarios.project import lay_out
from rehearsal.scenarios.quality import compare
from rehearsal.scenarios.record import write_journal
from rehearsal.scenarios.summary import print_summary, summarise
from rehearsal.scenarios.turn import Pipeline, Scenario, live_schema, play
from rehearsal.table.unusable import Unusable

HELD, FAILED, UNUSABLE, REFUSED = 0, 1, 2, 3
"""Exit codes: all held; an expectation did not; nothing was started; the gate refused the first model."""
SLOW_TO_IMPORT = ("pandas", "skl2onnx", "boto3")
"""What the image and the commands of a build import for seconds, each time anew.

Not onnxruntime: its import starts a thread, which a fork would lack at its end.
"""


@dataclass(frozen=True)
class Stage:
    """What is played, and where it comes from."""

    scenario: Scenario
    config: Path
    assembly: Path
    repository: Path = ROOT
    pipeline: Pipeline | None = None
    """The way in; without one everything is deployed directly."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="make rehearse", description=__doc__)
    made.add_argument(
        "--config", type=Path, default=ROOT / "config" / "dev.yaml", help="the environment to deploy"
    )
    made.add_argument(
        "--assembly", type=Path, help="a cloud assembly that is there already (default: synthesise)"
    )
    made.add_argument("--out", type=Path, default=ROOT / "build" / "rehearsal", help="where the results go")
    made.add_argument(
        "--tables", type=Path, help="a folder of prepared months, YYYY-MM.csv.gz, in place of the scenario's"
    )
    made.add_argument("--scenario", help=f"a name, or the path of a YAML file (default: {STANDARD})")
    made.add_argument(
        "--seed",
        type=int,
        default=0,
        help="deliver events twice and out of order, by this seed (default: 0, in order and once)",
    )
    made.add_argument("--keep", action="store_true", help="leave the account up until Ctrl-C")
    made.add_argument("--until", type=datetime.fromisoformat, help="end earlier, such as 2013-03-20")
    made.add_argument(
        "--direct", action="store_true", help="deploy without the pipeline (so it is with --assembly)"
    )
    made.add_argument(
        "--no-engine", action="store_true", help="build no image with docker or podman, even if there is one"
    )
    made.add_argument("--retrains", type=int, help="how many an alarm must start at least")
    own = made.add_argument_group("your own table")
    own.add_argument("--data", type=Path, help="a CSV file, plain or gzipped")
    own.add_argument("--target", help="the column to predict")
    own.add_argument("--time", help="the column that dates each row")
    own.add_argument("--task", help="binary, multiclass or regression (default: what the target looks like)")
    return made


def stage(args: argparse.Namespace, console: Console) -> Stage:
    """The example, or the table that somebody brings."""
    if args.data is not None:
        _refuse_beside_a_table(args)
        return own_stage(args, console)
    if args.target or args.time or args.task:
        raise Unusable("got --target, --time or --task without --data; name the table too, or leave them out")
    loaded = find(args.scenario or STANDARD)
    _refuse_an_end_outside(loaded, args.until)
    config, repository = args.config, ROOT
    text = loaded.config(args.config)
    console.print(f"{loaded.name}: {loaded.file.title}", markup=False, highlight=False)
    clear(args.out)
    if loaded.file.config:
        repository = args.out / "project"
        name = f"config/{load(args.config).environment}.yaml"
        lay_out(repository, {name: text})
        config = repository / name
    scenario = _shortened(loaded.scenario(args.out), args)
    assembly = args.assembly or synthesise(args.out / "cdk.out", repository)
    is_pushed = bool(scenario.pushes) and not args.direct and not args.assembly
    pipeline = pipeline_of(args, config, assembly) if is_pushed else None
    return Stage(scenario, config, assembly, repository, pipeline)


def _shortened(scenario: Scenario, args: argparse.Namespace) -> Scenario:
    """What the command line asks for in place of the file; then it is no whole season any more."""
    changes: dict[str, Any] = {}
    if args.tables:
        changes["tables"] = args.tables
    if args.until:
        changes["end"] = args.until.replace(tzinfo=UTC)
    if args.retrains is not None:
        changes["retrains"] = args.retrains
    if changes:
        changes |= {"expected": Expected(), "later": None}
    if changes or args.seed:
        changes["judges_grants"] = False
    return replace(scenario, **changes)


def _refuse_an_end_outside(loaded: Loaded, until: datetime | None) -> None:
    """The season can be cut off within it. Raises Unusable if that leaves nothing of it, or is no cut."""
    start, end = loaded.file.start, loaded.file.end
    if until and not start < until.replace(tzinfo=UTC) <= end:
        allowed = f"after {start:%Y-%m-%d %H:%M}, where {loaded.name} begins, up to {end:%Y-%m-%d %H:%M}"
        raise Unusable(f"--until: got {until:%Y-%m-%d %H:%M}; allowed: {allowed}")


NOT_WITH_DATA = ("scenario", "tables", "until", "retrains", "assembly", "direct")


def _refuse_beside_a_table(args: argparse.Namespace) -> None:
    """What says how an example is played says nothing of a table that is brought. Raises Unusable."""
    untold = parser().parse_args([])
    if given := [f"--{name}" for name in NOT_WITH_DATA if getattr(args, name) != getattr(untold, name)]:
        raise Unusable(
            f"got --data with {', '.join(given)}; a table of your own is played by its own dates and by the pipeline, "
            "so leave one of the two out"
        )


def own_stage(args: argparse.Namespace, console: Console) -> Stage:
    from rehearsal.table.prepare import prepare, question  # late: pandas takes half a second

    prepared = prepare(question(args.data, args.target, args.time, args.task))
    clear(args.out)
    from rehearsal.scenarios.own_table import ready

    base = load(args.config)
    scenario, repository = ready(prepared, base, args.out, console)
    config = repository / "config" / f"{base.environment}.yaml"
    assembly = synthesise(args.out / "cdk.out", repository)
    return Stage(scenario, config, assembly, repository, pipeline_of(args, config, assembly))


def clear(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)


def run(stage: Stage, *, out: Path, console: Console, seed: int = 0, keep: bool = False) -> dict:
    """Play a scenario against one environment of an assembly, and tell what came of it; returns the summary."""
    config, scenario = load(stage.config), stage.scenario
    start = scenario.start - timedelta(hours=2)
    with Account(
        start=start, directory=out / "account", region=config.region, seed=seed, faults=scenario.faults
    ) as account:
        warm_python.start(account, SLOW_TO_IMPORT)
        functions.fork_workers(account)
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
        write_journal(account, out / "journal.jsonl")
        write_ledger(deployment, out)
        write_evaluations(deployment, out)
        write_dashboard(deployment, out)
        (out / "summary.json").write_text(json.dumps(summary, indent=1, sort_keys=True))
        print_summary(summary, console)
        if keep:
            keep_up(account, out, console)
            write_ledger(deployment, out)  # people may have acted since
    return summary


def write_ledger(deployment: Deployment, out: Path) -> None:
    (out / "ledger.json").write_text(json.dumps(deployment.ledger(), indent=1, sort_keys=True))


def write_evaluations(deployment: Deployment, out: Path) -> None:
    """The page of each model that was judged, as whoever approves would get it, and the run's artefacts beside it."""
    for run_id, page in evaluations(deployment).items():
        path = out / EVALUATIONS / f"{run_id}.html"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(page)
        for name, content in artefacts(deployment, run_id).items():
            artefact = out / EVALUATIONS / run_id / name
            artefact.parent.mkdir(parents=True, exist_ok=True)
            artefact.write_bytes(content)


def write_dashboard(deployment: Deployment, out: Path) -> None:
    """What whoever looks at the deployed dashboard would see at the end."""
    wall = dashboards.wall(deployment.account, deployment.names.dashboard)
    if wall:
        (out / "dashboard.html").write_text(dashboard.render(wall))


def pipeline_of(args: argparse.Namespace, config_path: Path, assembly: Path) -> Pipeline | None:
    """The pipeline that delivers this environment, if there is one: a push is then the way in."""
    config, configs = load(config_path), config_path.parent
    delivery = load_delivery(configs)
    if delivery is None or delivery.name != config.name or delivery.environments != [config.environment]:
        return None
    return Pipeline(delivery, assembly, "" if args.no_engine else docker.engine_of_this_machine())


def seldom_look_for_cycles() -> None:
    """An account keeps all that it has; looking through it again and again took a seventh of a rehearsal."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no child process outlives us
    args = parser().parse_args()
    console, began = Console(width=None if sys.stdout.isatty() else 160), perf_counter()
    try:
        load(args.config)
        played = stage(args, console)
    except (ConfigError, Unusable) as error:
        print(f"make rehearse: {error}", file=sys.stderr)
        return UNUSABLE
    seldom_look_for_cycles()
    summary = run(played, out=args.out, console=console, seed=args.seed, keep=args.keep)
    report = args.out / "rehearsal-report.html"
    console.print(f"\n{perf_counter() - began:.0f} s. The whole story: {report}. An emulation, not AWS.")
    if not summary["passed"]:
        return FAILED
    return REFUSED if summary["refused"] else HELD


if __name__ == "__main__":
    sys.exit(main())
