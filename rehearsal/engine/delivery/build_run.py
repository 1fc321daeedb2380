"""One build: the commands of a buildspec in one shell, in a clean checkout, under the project's role."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.engine.delivery.buildspecs import Buildspec
from rehearsal.engine.delivery.shims import Shims, Tool

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

IN_MEMORY, ROOM_BYTES = Path("/dev/shm"), 2**30  # noqa: S108 - mkdtemp makes a folder of our own in it
POLL_SECONDS = 0.02
TAIL_CHARACTERS = 4000


@dataclass(frozen=True)
class Machine:
    """What the machine has in the place of a build image; whoever owns the account says it once."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    """Commands that are answered by the account."""
    prepare: Callable[[Path], None] = lambda _: None
    """Puts into a fresh checkout what would take an installation: the machine's own packages."""
    not_run: Mapping[str, str] = field(default_factory=dict)
    """Commands that are not run here, and why; they are journalled and never count as done well."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Built:
    """How a build ended; `failed` is the command that failed, if one did."""

    status: str
    output: str
    variables: Mapping[str, str]
    failed: str = ""
    reason: str = ""
    not_run: tuple[str, ...] = ()


@dataclass(frozen=True)
class Build:
    """All that one build needs."""

    name: str
    spec: Buildspec
    source: bytes
    """The zip of the input artefact."""
    environment: Mapping[str, str]
    role_arn: str
    timeout_seconds: float


def run(account: Account, build: Build, machine: Machine) -> Built:
    """Unpack, run, collect; the checkout is gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="build-", dir=_place(account)))
    shims = Shims(machine.tools, build.role_arn, directory / "bin")
    try:
        checkout = directory / "src"
        unpack(build.source, checkout)
        machine.prepare(checkout)
        return _run(build, machine, shims, checkout)
    finally:
        shims.close()
        shutil.rmtree(directory, ignore_errors=True)


def _place(account: Account) -> Path:
    """Where a checkout of many small files is quick to make: in memory, if there is plenty."""
    roomy = os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES
    return IN_MEMORY if roomy else account.directory


def unpack(archive: bytes, target: Path) -> None:
    """As unzip does: with the permissions and the times that the archive holds."""
    target.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        for entry in zipped.infolist():
            path = Path(zipped.extract(entry, target))
            mode = entry.external_attr >> 16 & 0o777
            if mode and not entry.is_dir():
                path.chmod(mode)
            stamp = time.mktime((*entry.date_time, 0, 0, -1))
            os.utime(path, (stamp, stamp))


def _run(build: Build, machine: Machine, shims: Shims, checkout: Path) -> Built:
    state, log = shims.directory.parent / "state", shims.directory.parent / "log"
    state.mkdir()
    skipped = tuple(command for _, command in build.spec.commands if command in machine.not_run)
    script = _script(build.spec, skipped, state)
    environment = {
        "LANG": "C.UTF-8",
        **machine.environment,
        **build.spec.variables,
        **build.environment,
        "PATH": f"{shims.directory}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(shims.directory.parent),
        "TMPDIR": str(state),
        "REHEARSAL_SHIM_PORT": str(shims.port),
        "CODEBUILD_SRC_DIR": str(checkout),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    timed_out = _wait(process, shims, build.timeout_seconds)
    return _built(build, state, log, process.returncode, timed_out, skipped)


def _wait(process: subprocess.Popen[bytes], shims: Shims, seconds: float) -> bool:
    """Serve the shims until the build ends; True if it ran into its time limit."""
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < deadline:
            shims.serve(POLL_SECONDS)
        return process.poll() is None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _script(spec: Buildspec, skipped: tuple[str, ...], state: Path) -> str:
    """All commands in one shell, as in AWS: what one exports, the next has. The first that fails ends it."""
    exported = " ".join(spec.exported)
    lines = [
        f'__end() {{ code=$?; for n in {exported}; do printf "%s" "${{!n}}" > "{state}/$n.var"; done; exit $code; }}'
    ]
    lines += ["trap __end EXIT"]
    for number, (_, command) in enumerate(spec.commands):
        if command in skipped:
            lines.append(f"echo {json.dumps('NOT RUN: ' + command)}")
            continue
        lines.append(f'echo {number} > "{state}/at"')
        lines += [command, "__code=$?; if [ $__code -ne 0 ]; then exit $__code; fi"]
    lines.append(f'rm -f "{state}/at"')
    return "\n".join(lines)


def _built(
    build: Build, state: Path, log: Path, code: int, timed_out: bool, skipped: tuple[str, ...]
) -> Built:
    output = log.read_text(errors="replace")[-TAIL_CHARACTERS:]
    variables = {
        name: path.read_text() for name in build.spec.exported if (path := state / f"{name}.var").exists()
    }
    if timed_out:
        return Built("TIMED_OUT", output, {}, reason="Build has timed out. ", not_run=skipped)
    if code == 0:
        return Built("SUCCEEDED", output, variables, not_run=skipped)
    at = state / "at"
    _, command = build.spec.commands[int(at.read_text())] if at.exists() else ("", "")
    reason = f"Error while executing command: {command}. Reason: exit status {code}"
    return Built("FAILED", output, variables, failed=command, reason=reason, not_run=skipped)
