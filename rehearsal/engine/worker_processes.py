"""How a worker's process is started: afresh, or by a fork server that has imported AWS's runtime already."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

ISOLATED_PYTHON = (sys.executable, "-I", "-S", "-u")  # no site-packages, no PYTHON* variables, no buffering
WORKER = Path(__file__).with_name("worker.py")
FORKSERVER = Path(__file__).with_name("worker_forkserver.py")
LONGEST_ANSWER = 64
NO_PROFILE = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


class Process(Protocol):
    """What is needed of subprocess.Popen, in the group of whose id the worker and its children are."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


def fresh(
    environment: Mapping[str, str], output: IO[bytes], pipes: tuple[int, int], runtime: Path
) -> subprocess.Popen[bytes]:
    """A new interpreter; `pipes` are the descriptors that it reads requests from and answers to."""
    return subprocess.Popen(
        [*ISOLATED_PYTHON, str(WORKER), *map(str, pipes), str(runtime)],
        env=dict(environment),
        cwd=environment["LAMBDA_TASK_ROOT"],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=pipes,
        start_new_session=True,
    )


class ForkServer:
    """Forks workers from one process; any thread may ask."""

    def __init__(self, runtime: Path) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*ISOLATED_PYTHON, str(FORKSERVER), str(theirs.fileno()), str(runtime)],
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **NO_PROFILE},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def fork(
        self, environment: Mapping[str, str], output: IO[bytes], pipes: tuple[int, int]
    ) -> Forked | None:
        """A worker like `fresh`; None if its code needs a fresh interpreter."""
        message = {"env": dict(environment), "cwd": environment["LAMBDA_TASK_ROOT"]}
        pid = self._ask(message, [*pipes, output.fileno()])
        return Forked(self, pid) if pid else None

    def wait(self, pid: int) -> int:
        """How a worker ended, as subprocess has it."""
        return self._ask({"wait": pid}, [])

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _ask(self, message: Mapping[str, object], descriptors: list[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(message).encode()], descriptors)
            answer = self._socket.recv(LONGEST_ANSWER)
        if not answer:
            raise RuntimeError("the process that forks workers is gone; what it printed says why")
        return int(answer)


class Forked:
    """A worker that the fork server has started, and alone can wait for."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self.pid = pid
        self._server = server
        self._ended: int | None = None

    def poll(self) -> int | None:
        """How it ended; None where nobody has waited for it yet."""
        return self._ended

    def wait(self) -> int:
        if self._ended is None:
            self._ended = self._server.wait(self.pid)
        return self._ended


def stop(process: Process) -> None:
    """Kill a worker and all that it has started; safe to call twice."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
