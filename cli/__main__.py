"""`./tideline`: ask a deployment what it is doing and why, and tell it what to do."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from cli import commands
from config.schema import ROOT, ConfigError
from domain.training_run import CAUSES


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="./tideline", description=__doc__)
    top.add_argument("--env", default="dev", help="the environment: config/<env>.yaml (default: dev)")
    top.add_argument("--json", action="store_true", help="for programs")
    top.add_argument(
        "--rehearsal",
        type=Path,
        metavar="DIR",
        help="a rehearsal instead of AWS (default: build/rehearsal): its account if that is up, else what it left",
    )
    sub = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _that_read(sub)
    _that_act(sub)
    _that_steps_call(sub)
    return top


def _that_read(sub: Any) -> None:
    sub.add_parser("status", help="which model is live, what is running, what is waiting for whom")
    explain = sub.add_parser("explain", help="decisions: what was decided, by which rule, why")
    explain.add_argument(
        "what", nargs="?", help="a run, release, package or alarm, or a part of its name (default: the last)"
    )
    sub.add_parser("history", help="releases: which model served from when to when, and why it came or went")
    sub.add_parser("replay", help="decisions made again under today's configuration: which would differ")
    estimate = sub.add_parser(
        "estimate", help="dollars a month of the whole deployment, before it is deployed"
    )
    for name, default, what in (
        ("--requests-per-day", 0, "traffic (default: none)"),
        ("--request-bytes", 1000, "of one request (default: 1000)"),
        ("--answer-bytes", 100, "of its answer (default: 100)"),
    ):
        estimate.add_argument(name, type=float, default=default, metavar="N", help=what)
    estimate.add_argument("--against", metavar="COMMIT", help="and the difference to another commit")
    sub.add_parser(
        "doctor",
        help="looks before a deploy: tools, account, quotas, prices; exit code 3 if one would fail it",
    )
    changes = sub.add_parser(
        "changes",
        help="permissions that this tree's stacks gain or lose, and data they would replace, against a commit; "
        "exit code 3 if anything is broader or lost",
    )
    changes.add_argument("--against", metavar="COMMIT", default="origin/main", help="(default: origin/main)")
    sub.add_parser(
        "preview",
        help="the deployed dashboard with a rehearsal's metrics, as a page and as pictures, offline",
    )


def _that_act(sub: Any) -> None:
    retrain = sub.add_parser("retrain", help="ask for a training run now, through the same door as an alarm")
    retrain.add_argument(
        "--reason", required=True, help="why; the same reason on the same day is the same request"
    )
    approve = sub.add_parser(
        "approve",
        aliases=["release"],
        help="approve a model package, which releases it: one that waits for a person, or any that was released before",
    )
    approve.add_argument("version", type=int, help="the version in the model package group")
    rollback = sub.add_parser(
        "rollback",
        help="reject what serves and bring back what was live before; exit code 3 if there is nothing",
    )
    rollback.add_argument("--reason", required=True, help="why; kept with the rejected package")
    pause = sub.add_parser("pause", help="stop all that acts by itself; what serves goes on serving")
    pause.add_argument("--resume", action="store_true", help="end the pause")
    pause.add_argument("--by", default="operator", help="who says so")
    push = sub.add_parser("push", help="put a zip of a commit where the delivery pipeline waits for it")
    push.add_argument("revision", nargs="?", default="HEAD", help="the commit (default: HEAD)")


def _that_steps_call(sub: Any) -> None:
    """What the pipeline's steps and scripts use; a person may."""
    image = sub.add_parser("image", help="build and push the image with docker; prints its digest")
    image.set_defaults(json=False)
    image.add_argument(
        "--from", dest="from_", metavar="ENV", help="take over the image of another environment"
    )
    train = sub.add_parser(
        "train", help="ask for a training run because of a push; says so if nothing is new"
    )
    train.add_argument("--cause", default="push", choices=CAUSES, help="who asks (default: push)")
    train.add_argument("--incident", required=True, help="what asks, such as the digest of the image")
    train.add_argument(
        "--delivery", default="", help="the execution of the delivery pipeline that waits for it"
    )
    for writes in (image, train):
        writes.add_argument(
            "--variables", type=Path, metavar="FILE", help="also write what came of it, for a shell"
        )
    sub.add_parser(
        "smoke", help="ask the endpoint; fails unless the released model answers with finite numbers"
    )
    sub.add_parser(
        "busy", help="does a release or deploy of Serving go on? exit code 0 while it does, 3 if none does"
    )
    names = sub.add_parser("names", help="the name of a stack, for scripts")
    names.add_argument("part", choices=["storage", "training", "serving", "monitoring", "retraining"])


def with_directory(argv: list[str]) -> list[str]:
    """`--rehearsal` alone means the place where `make rehearse` leaves its results.

    >>> with_directory(["--rehearsal", "status"]), with_directory(["--rehearsal", "elsewhere", "status"])
    (['--rehearsal', 'build/rehearsal', 'status'], ['--rehearsal', 'elsewhere', 'status'])
    """
    after = argv.index("--rehearsal") + 1 if "--rehearsal" in argv else 0
    if after and argv[after : after + 1] and argv[after] in commands.COMMANDS:
        return [*argv[:after], "build/rehearsal", *argv[after:]]
    return argv


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(with_directory(sys.argv[1:] if argv is None else argv))
    try:
        code = commands.run(args, ROOT / "config")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ConfigError, commands.CommandError) as error:
        print(f"tideline: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        if type(error).__module__.split(".")[0] != "botocore":
            raise
        print(f"tideline: AWS: {error}; are your credentials, --env and its region right?", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
