"""The commands, one function each: read, decide nothing, print."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from cli import show
from cli.control import approve, rollback, set_paused
from cli.source import Aws, CommandError, KeptRehearsal, Source
from config import kept_account
from config.schema import ROOT, Config, load
from domain.names import Names

NEVER_DEPLOYED = "REVIEW_IN_PROGRESS"
REFUSED = 3
"""Exit code of a question whose answer is no."""
AT_REST = REFUSED
"""Exit code of `busy` where there is nothing to wait for."""

__all__ = ["CommandError", "run"]


def run(args: argparse.Namespace, configs: Path) -> int:
    """Carry out one command; returns the exit code. `configs` is the folder of the environments' files."""
    config = load(configs / f"{args.env}.yaml")
    return COMMANDS[args.command](args, config)


def _source(args: argparse.Namespace, config: Config) -> Source:
    if args.rehearsal and kept_account.read(args.rehearsal) is None:
        return KeptRehearsal(args.rehearsal)
    return _aws(args, config)


def _aws(args: argparse.Namespace, config: Config) -> Aws:
    """The deployment in AWS, or in the account of a rehearsal that is up: then all clients go there."""
    if args.rehearsal:
        variables = kept_account.read(args.rehearsal)
        if variables is None:
            raise CommandError(
                f"{args.command} acts on a deployment; of a rehearsal that has ended one can only read. "
                "Leave its account up with `make rehearse KEEP=1`"
            )
        os.environ.update(variables)
    return Aws(Names(config.name, config.environment), config.region)


def _status(args: argparse.Namespace, config: Config) -> int:
    source = _source(args, config)
    status = show.status(source.bodies)
    print(json.dumps(status, indent=1) if args.json else show.status_text(status))
    return 0


def _explain(args: argparse.Namespace, config: Config) -> int:
    from cli import explain

    print(explain.explained(_source(args, config), args.what, as_json=args.json))
    return 0


def _history(args: argparse.Namespace, config: Config) -> int:
    from cli import past

    served = past.releases(_source(args, config).bodies)
    if args.json:
        print(json.dumps([asdict(one) for one in served], indent=1))
    else:
        past.show(served)
    return 0


def _replay(args: argparse.Namespace, config: Config) -> int:
    from cli import replay

    found = replay.replayed(_source(args, config).bodies, config)
    print(json.dumps(replay.to_json(found), indent=1) if args.json else replay.text(found))
    return 0


def _estimate(args: argparse.Namespace, config: Config) -> int:
    from cli import estimate
    from domain.estimate import changes

    load = ("requests_per_day", "request_bytes", "answer_bytes")
    try:
        lines = estimate.of_tree(config, **{name: getattr(args, name) for name in load})
    except ValueError as error:
        raise CommandError(str(error)) from None
    if args.json:
        print(estimate.as_json(lines))
        return 0
    estimate.show(lines)
    if args.against:
        options = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in load]
        before = estimate.of_commit(args.against, ["--env", args.env, "--json", "estimate", *options])
        estimate.show_changes(changes(before, lines), args.against)
    return 0


def _doctor(args: argparse.Namespace, config: Config) -> int:
    from cli import doctor
    from domain.preflight import STOP, worst

    findings = doctor.examine(_aws(args, config), config)
    if args.json:
        print(json.dumps([asdict(one) for one in findings], indent=1))
    else:
        doctor.show(findings)
    return REFUSED if worst(findings) == STOP else 0


def _changes(args: argparse.Namespace, _config: Config) -> int:
    from cli import changes

    found = changes.against(args.against)
    if args.json:
        print(changes.as_json(found))
    else:
        changes.show(found, args.against)
    return REFUSED if found.broader or found.lost else 0


def _preview(args: argparse.Namespace, _config: Config) -> int:
    from cli import preview

    page = preview.find_page(args.rehearsal or ROOT / "build" / "rehearsal")
    browser = preview.find_browser()
    made = [page, *(preview.pictures(page, browser) if browser else [])]
    if args.json:
        print(json.dumps([str(path) for path in made]))
        return 0
    print("\n".join(str(path) for path in made))
    if not browser:
        print(f"no pictures: none of {', '.join(preview.BROWSERS)} is installed; open the page itself")
    return 0


def _retrain(args: argparse.Namespace, config: Config) -> int:
    aws = _aws(args, config)
    event = {"cause": "operator", "incident": f"{args.reason}@{datetime.now(UTC):%Y-%m-%d}"}
    from cli.delivery import call_start_training

    body = call_start_training(aws, event)
    decision = body["decision"]
    print(
        json.dumps(body, indent=1)
        if args.json
        else f"{decision['verdict']}: {'; '.join(decision['reasons'])}"
    )
    return 0 if decision["verdict"] == "start" else REFUSED


def _approve(args: argparse.Namespace, config: Config) -> int:
    aws = _aws(args, config)
    print(approve(aws.client("sagemaker"), aws.names.model_package_group, args.version))
    return 0


def _rollback(args: argparse.Namespace, config: Config) -> int:
    aws = _aws(args, config)
    sagemaker, group = aws.client("sagemaker"), aws.names.model_package_group
    decision = rollback(sagemaker, group, aws.bodies, reason=args.reason)
    if args.json:
        print(json.dumps(decision.to_json(), indent=1))
    else:
        takes_over = "; release_model takes it from here" if decision.verdict == "return" else ""
        print("; ".join(decision.reasons) + takes_over)
    return 0 if decision.verdict == "return" else REFUSED


def _pause(args: argparse.Namespace, config: Config) -> int:
    aws, now = _aws(args, config), datetime.now(UTC)
    set_paused(aws.client("dynamodb"), aws.ledger_table(), not args.resume, by=args.by, now=now)
    print(
        "resumed"
        if args.resume
        else "paused: no alarm, push or approval starts anything until `pause --resume`"
    )
    return 0


def _image(args: argparse.Namespace, config: Config) -> int:
    from cli.image import build_and_push, take_over

    aws = _aws(args, config)
    digest = take_over(aws, _environment(args.from_), ROOT) if args.from_ else build_and_push(aws, ROOT)
    _export(args, {"IMAGE": digest})
    print(digest)
    return 0


def _environment(name: str) -> Aws:
    config = load(ROOT / "config" / f"{name}.yaml")
    return Aws(Names(config.name, config.environment), config.region)


def _export(args: argparse.Namespace, variables: dict[str, str]) -> None:
    if args.variables:
        from cli.delivery import write_variables

        write_variables(args.variables, variables)


def _train(args: argparse.Namespace, config: Config) -> int:
    from cli.delivery import ask_to_train, commit_of

    told, variables = ask_to_train(
        _aws(args, config),
        cause=args.cause,
        incident=args.incident,
        delivery=args.delivery,
        commit=commit_of(ROOT),
    )
    _export(args, variables)
    print(told)
    return 0


def _smoke(args: argparse.Namespace, config: Config) -> int:
    from cli.smoke import smoke, smoke_batch
    from training import user

    if config.serving.mode == "batch":
        print(smoke_batch(_aws(args, config), hour_utc=config.serving.batch.hour_utc))
        return 0

    features = {feature.name: feature.kind for feature in user.schema().features}
    print(smoke(_aws(args, config), features))
    return 0


def _busy(args: argparse.Namespace, config: Config) -> int:
    from cli.serving import serving_status

    aws = _aws(args, config)
    status, stack = serving_status(aws), aws.names.stack("serving")
    if not status.endswith("IN_PROGRESS") or status == NEVER_DEPLOYED:
        print(f"{stack} is {status or 'not there'}: nothing goes on")
        return AT_REST
    print(
        f"{stack} is {status}: a release or a deploy goes on, and CloudFormation takes no other; wait for its end"
    )
    return 0


def _push(args: argparse.Namespace, config: Config) -> int:
    from cli.delivery import push
    from config.delivery import load_delivery

    _aws(args, config)
    delivery = load_delivery(ROOT / "config")
    if delivery is None:
        raise CommandError(
            "config/delivery.yaml is not there, so there is no pipeline; `make deploy` deploys directly"
        )
    print(push(delivery, ROOT, args.revision))
    return 0


def _names(args: argparse.Namespace, config: Config) -> int:
    print(Names(config.name, config.environment).stack(args.part))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace, Config], int]] = {
    "status": _status,
    "explain": _explain,
    "history": _history,
    "replay": _replay,
    "estimate": _estimate,
    "doctor": _doctor,
    "changes": _changes,
    "preview": _preview,
    "retrain": _retrain,
    "approve": _approve,
    "release": _approve,
    "rollback": _rollback,
    "pause": _pause,
    "image": _image,
    "train": _train,
    "smoke": _smoke,
    "busy": _busy,
    "push": _push,
    "names": _names,
}
