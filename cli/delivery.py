"""What the steps of the delivery pipeline call, and a person can too: train because of a push, and push a commit."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from cli.serving import live_release
from cli.source import Aws, CommandError, outputs_of
from config.delivery import Delivery, S3Zip
from domain.names import delivery_name

COMMIT_ID = re.compile(r"[0-9a-f]{40}")
NOTHING_NEW = ("nothing-new", "done-before")
NOTHING_TO_TRAIN = (*NOTHING_NEW, "no-snapshot", "no-image")
"""Rules by which a push rightly trains nothing. By any other what was pushed waits untrained, and that is a failure."""


def ask_to_train(
    aws: Aws, *, cause: str, incident: str, delivery: str, commit: str = ""
) -> tuple[str, dict[str, str]]:
    """Ask the one door. Returns a sentence, and the variables on which the next stages depend.

    Raises CommandError if what was pushed is new and was not trained: a run is in flight, say, or Tideline is paused.
    """
    event = {
        "cause": cause,
        "incident": incident,
        "commit": commit,
        **({"delivery": delivery} if delivery else {}),
    }
    answer = call_start_training(aws, event)
    decision, plan = answer["decision"], answer["plan"]
    reasons = "; ".join(decision["reasons"])
    if decision["verdict"] == "start":
        told = f"{plan['run_id']} trains: {reasons}"
        return told, {"TRAINING": "started", "RUN_ID": plan["run_id"], "SERVES": "yes"}
    if decision["rule"] not in NOTHING_TO_TRAIN:
        raise CommandError(
            f"new, and not trained: {reasons}; see ./tideline status, then run this stage again"
        )
    new = "nothing new, " if decision["rule"] in NOTHING_NEW else ""
    serves = "yes" if live_release(aws) else "no"
    return f"{new}nothing trained: {reasons}", {"TRAINING": "nothing", "RUN_ID": "none", "SERVES": serves}


def commit_of(root: Path) -> str:
    """Of a checkout, or of what `git archive` made of one, which writes it into COMMIT; empty where none is known."""
    file = root / "COMMIT"
    written = file.read_text().strip() if file.exists() else ""
    if COMMIT_ID.fullmatch(written):
        return written
    try:
        return git(root, "rev-parse", "HEAD").decode().strip()
    except (CommandError, OSError):
        return ""


def call_start_training(aws: Aws, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function; raises CommandError with its own error."""
    answer = aws.client("lambda").invoke(
        FunctionName=aws.names.function("start_training"), Payload=json.dumps(event).encode()
    )
    body: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise CommandError(f"start_training failed: {body.get('errorType')}: {body.get('errorMessage')}")
    return body


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """A file that a shell reads with `.`: how a step hands values to those after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))


def push(delivery: Delivery, root: Path, revision: str) -> str:
    """Put a zip of a commit where the pipeline waits for it."""
    source = delivery.source
    if source.connection or source.codecommit:
        raise CommandError("this delivery takes its source from a repository: git push starts it")
    zip_ = source.s3 or S3Zip()
    bucket = zip_.bucket or _bucket_of(delivery)
    body = git(root, "archive", "--format=zip", revision)
    commit, _, summary = git(root, "log", "-1", "--format=%H %s", revision).decode().strip().partition(" ")
    shown = f"{commit[:12]} {summary}".encode("ascii", "replace").decode()
    boto3.client("s3", region_name=delivery.region).put_object(
        Bucket=bucket, Key=zip_.key, Body=body, Metadata={"codepipeline-artifact-revision-summary": shown}
    )
    pipeline = delivery_name(delivery.name)
    told = f"pushed {shown} to s3://{bucket}/{zip_.key}; {pipeline} takes it from here"
    return told + _left_behind(root, revision)


def _bucket_of(delivery: Delivery) -> str:
    cloudformation = boto3.client("cloudformation", region_name=delivery.region)
    return outputs_of(cloudformation, delivery_name(delivery.name), "`make pipeline` deploys it")[
        "SourceBucketName"
    ]


def _left_behind(root: Path, revision: str) -> str:
    """What lies changed beside HEAD, for a person who forgot to commit."""
    changed = git(root, "status", "--porcelain").decode().splitlines() if revision == "HEAD" else []
    if not changed:
        return ""
    names = ", ".join(line[3:] for line in changed[:3]) + (", ..." if len(changed) > 3 else "")
    return f"\nnot in it, since they are not committed: {len(changed)} changed files: {names}"


def git(root: Path, *command: str) -> bytes:
    """What git prints; raises CommandError with its own error."""
    done = subprocess.run(["git", *command], cwd=root, capture_output=True, check=False)
    if done.returncode:
        raise CommandError(f"git {command[0]} failed: {done.stderr.decode().strip()[-300:]}")
    return done.stdout
