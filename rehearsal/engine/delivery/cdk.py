"""`cdk deploy` in a build: synthesise in the checkout, then deploy the selected stacks as the CLI does."""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.cloudformation.assembly import DeploymentFailed, StackArtifact
from rehearsal.engine.cloudformation.bootstrap import QUALIFIER
from rehearsal.engine.delivery.builds import SERVICE
from rehearsal.engine.delivery.shims import Answer, Command, Tool

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

INSTALLED = (".venv", "node_modules")
BUILT = {*INSTALLED, "build", "cdk.out", "__pycache__"}
RUNS_BY = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class App:
    """What an app reads of a checkout and of the environment: it is given nothing else, so it cannot read more."""

    files: tuple[str, ...]
    variables: tuple[str, ...] = ()


def tool(account: Account, app: App | None = None) -> Tool:
    """`cdk`, as a build calls it. What a synthesis reads stays the same from push to push: so does its assembly."""

    def cdk(command: Command) -> Answer:
        if command.argv[1:2] != ("deploy",):
            raise Unsupported(
                f"cdk {command.argv[1]}: not built; build it in rehearsal/engine/delivery/cdk.py"
            )
        refused = _may_not_deploy(account, command.role_arn)
        if refused:
            return Answer(1, err=refused)
        given = _parser().parse_args(list(command.argv[2:]))
        outdir, problem = _synthesised(account, command, app)
        if problem:
            return Answer(1, err=problem)
        return _deploy(account, outdir, given.patterns, given.parameters)

    return cdk


def keep(
    account: Account, directory: Path, cloud_assembly: Path, app: App, environment: Mapping[str, str]
) -> None:
    """Let an assembly that was synthesised from the files of `directory`, in this environment, stand for them."""
    with _given(account, directory, environment, app) as given:
        given.outdir.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(cloud_assembly, given.outdir)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--require-approval")
    parser.add_argument("--parameters", action="append", default=[])
    return parser


def _may_not_deploy(account: Account, role_arn: str) -> str:
    """The CLI acts under the bootstrap's deploy role; the build's own role must be allowed to assume it."""
    name = f"cdk-{QUALIFIER}-deploy-role-{account.id}-{account.region}"
    deploy_role = f"arn:aws:iam::{account.id}:role/{name}"
    refused = roles.refusal(account, role_arn, SERVICE, "sts:AssumeRole", deploy_role)
    return f"{refused}\n" if refused else ""


@dataclass(frozen=True)
class _Given:
    """What a synthesis is given, and where its assembly lies once it is made."""

    directory: Path
    environment: Mapping[str, str]
    outdir: Path


def _synthesised(account: Account, command: Command, app: App | None) -> tuple[Path, str]:
    """The assembly of what the app reads, made once; or what went wrong."""
    with _given(account, command.cwd, command.environment, app) as given:
        if given.outdir.exists():
            return given.outdir, ""
        return given.outdir, synthesise(given.directory, given.outdir, dict(given.environment))


@contextmanager
def _given(
    account: Account, checkout: Path, environment: Mapping[str, str], app: App | None
) -> Iterator[_Given]:
    """All of a checkout, or, of an app that says what it reads, a folder with just that."""
    kept = account.directory / "synthesised"
    if app is None:
        yield _Given(checkout, environment, kept / _fingerprint(checkout))
        return
    seen = {name: environment[name] for name in app.variables if name in environment}
    how = {name: environment[name] for name in RUNS_BY if name in environment}
    directory = Path(tempfile.mkdtemp(prefix="app-", dir=account.directory))
    try:
        _pick(checkout, directory, app.files)
        yield _Given(directory, {**how, **seen}, kept / _fingerprint(directory, repr(sorted(seen.items()))))
    finally:
        shutil.rmtree(directory)


def _pick(source: Path, target: Path, files: Sequence[str]) -> None:
    """These files and folders of a checkout, and what was installed there."""
    for name in files:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (source / name).exists():
            shutil.copy2(source / name, target / name)
    for name in INSTALLED:
        if (source / name).exists():
            (target / name).symlink_to(source / name)


def _fingerprint(directory: Path, environment: str = "") -> str:
    """A hash of all that the source brought; what was installed or built there does not count."""
    digest = hashlib.sha256(environment.encode())
    for parent, folders, files in os.walk(directory):
        folders[:] = sorted(set(folders) - BUILT)
        for name in sorted(files):
            path = Path(parent) / name
            digest.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def synthesise(directory: Path, outdir: Path, environment: dict[str, str]) -> str:
    """Run the app of cdk.json as the CLI does; says what went wrong."""
    settings = json.loads((directory / "cdk.json").read_text())
    outdir.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["/bin/sh", "-c", settings["app"]],
        cwd=directory,
        env={
            **environment,
            "CDK_OUTDIR": str(outdir),
            "CDK_CONTEXT_JSON": json.dumps(settings.get("context", {})),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(outdir, ignore_errors=True)
        return done.stderr or done.stdout
    return ""


def _deploy(account: Account, outdir: Path, patterns: Sequence[str], parameters: Sequence[str]) -> Answer:
    names = [stack.name for stack in select(assembly.stacks(outdir), patterns)]
    if not names:
        return Answer(1, err=f"No stacks match the name(s) {', '.join(patterns)}\n")
    given: dict[str, dict[str, str]] = {}
    for one in parameters:
        stack, _, assignment = one.partition(":")
        key, _, value = assignment.partition("=")
        given.setdefault(stack, {})[key] = value
    account.journal.write("tool", tool="cdk", arguments=["deploy", *patterns])
    chosen = {stack: values for stack, values in given.items() if stack in names}
    try:
        assembly.deploy(account, outdir, only=names, parameters=chosen)
    except (DeploymentFailed, ClientError) as failed:  # refused, such as beside another update
        return Answer(1, err=f"❌ {failed}\n")
    return Answer(out="".join(f"✅  {name}\n" for name in names))


def select(stacks: Sequence[StackArtifact], patterns: Sequence[str]) -> list[StackArtifact]:
    """The stacks whose path matches, and all that they depend on; without a pattern the one at the top level."""
    by_id = {stack.id: stack for stack in stacks}
    if patterns:
        chosen = [s for s in stacks if any(fnmatch.fnmatchcase(s.display_name, p) for p in patterns)]
    else:
        chosen = [stack for stack in stacks if "/" not in stack.display_name]
        if len(chosen) > 1:
            raise ValueError("Since this app includes more than a single stack, specify which stacks to use")
    found: dict[str, StackArtifact] = {}

    def add(stack: StackArtifact) -> None:
        for need in stack.dependencies:
            if need in by_id and need not in found:
                add(by_id[need])
        found[stack.id] = stack

    for stack in chosen:
        add(stack)
    return list(found.values())
