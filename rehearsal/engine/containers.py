"""Runs an image as a process that sees a real /opt/ml, without a container engine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakSet

from rehearsal.engine import warm_python
from rehearsal.engine.account import Account
from rehearsal.engine.images import Image

IN_CONTAINER = Path(__file__).parent / "in_container"

# A private /opt: what the host has there stays (a Python may live in it), and /opt/ml is the run's own.
PRIVATE_OPT_ML = """set -e
mount --rbind /opt "$2"
mount -t tmpfs none /opt
for path in "$2"/*; do
  name=${path##*/}
  if [ -L "$path" ]; then cp -P "$path" "/opt/$name"
  elif [ -d "$path" ] && [ "$name" != ml ]; then mkdir "/opt/$name"; mount --rbind "$path" "/opt/$name"
  elif [ -f "$path" ]; then : > "/opt/$name"; mount --bind "$path" "/opt/$name"
  fi
done
mkdir -p /opt/ml
mount --bind "$1" /opt/ml
shift 2
exec "$@"
"""

_told: WeakSet[Account] = WeakSet()


@dataclass(frozen=True)
class Exit:
    """How a container ended: its code, its real duration, and what it printed."""

    code: int
    seconds: float
    timed_out: bool
    output: str


@dataclass(frozen=True)
class Run:
    """A container to start: `directory` holds its `ml` (seen as /opt/ml), scratch and log."""

    image: Image
    entrypoint: Sequence[str]
    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]

    @property
    def opt_ml(self) -> Path:
        return self.directory / "ml"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class LogReader:
    """Reads what a container has printed so far, each line once."""

    path: Path
    _read_to: int = 0

    def new_lines(self, *, is_last: bool = False) -> str:
        """The whole lines since the last call; at the end also one that was never finished."""
        if self.path.stat().st_size == self._read_to:
            return ""
        with self.path.open("rb") as log:
            log.seek(self._read_to)
            text = log.read()
        if not is_last:
            text = text[: text.rfind(b"\n") + 1]
        self._read_to += len(text)
        return text.decode(errors="replace")


def start(account: Account, run: Run) -> subprocess.Popen[bytes]:
    """Start the container; it is stopped with the account at the latest."""
    for name in ("ml", "home", "tmp", "opt"):
        (run.directory / name).mkdir(parents=True, exist_ok=True)
    _tell_once(account)
    workdir = run.image.directory / run.image.config.workdir.lstrip("/")
    workdir.mkdir(parents=True, exist_ok=True)
    with run.log.open("wb") as log:
        process = subprocess.Popen(
            _command(account, run),
            cwd=workdir,
            env=_environment(account, run),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    account.on_close(lambda: stop(process, grace_seconds=1))
    return process


def run_to_end(account: Account, run: Run, *, max_runtime_seconds: float, grace_seconds: float = 120) -> Exit:
    """Run the container until it ends; past its limit it gets SIGTERM, and SIGKILL after the grace."""
    began = time.monotonic()
    process = start(account, run)
    try:
        process.wait(timeout=max_runtime_seconds)
        timed_out = False
    except subprocess.TimeoutExpired:
        timed_out = True
    stop(process, grace_seconds=grace_seconds)  # also ends what it left running in the background
    return Exit(process.returncode, time.monotonic() - began, timed_out, run.output())


def stop(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
    """SIGTERM to the whole container, SIGKILL to what is left after the grace; safe to call twice."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=grace_seconds)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _command(account: Account, run: Run) -> list[str]:
    words = [_inside(run.image, word) for word in (*run.entrypoint, *run.arguments)]
    if words and words[0] in ("python", "python3"):
        words[:1] = [*warm_python.python(account), "-s"]  # -s: nobody's own site-packages
    if not private_opt_ml_allowed():
        return words
    directories = [str(run.opt_ml), str(run.directory / "opt")]
    return ["unshare", "-Urm", "sh", "-c", PRIVATE_OPT_ML, "sh", *directories, *words]


def _environment(account: Account, run: Run) -> dict[str, str]:
    """Nothing of the caller's environment but PATH: what the image, the job and the role give."""
    image = {name: _inside(run.image, value) for name, value in run.image.config.environment.items()}
    environment = {**image, **run.environment}
    path = environment.get("PYTHONPATH")
    return {
        **environment,
        "PATH": os.environ["PATH"],
        "HOME": str(run.directory / "home"),
        "TMPDIR": str(run.directory / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{IN_CONTAINER}{os.pathsep}{path}" if path else str(IN_CONTAINER),
        "REHEARSAL_NOW": account.clock.now().isoformat(),
        **({} if private_opt_ml_allowed() else {"SM_BASE_DIR": str(run.opt_ml)}),
    }


def _inside(image: Image, value: str) -> str:
    """Absolute paths that exist in the image, where they are on this machine."""
    parts = value.split(os.pathsep)
    there = [part.startswith("/") and (image.directory / part.lstrip("/")).exists() for part in parts]
    return os.pathsep.join(
        str(image.directory / part.lstrip("/")) if is_there and part != "/" else part
        for part, is_there in zip(parts, there, strict=True)
    )


@cache
def private_opt_ml_allowed() -> bool:
    """May this user have a mount namespace of its own?"""
    probe = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs none /opt"]
    try:
        return subprocess.run(probe, capture_output=True, timeout=10, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def _tell_once(account: Account) -> None:
    if account in _told:
        return
    _told.add(account)
    how = "a private mount namespace" if private_opt_ml_allowed() else "the environment variable SM_BASE_DIR"
    account.journal.write("note", what=f"containers see /opt/ml through {how}")
