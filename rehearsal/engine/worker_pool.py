"""Warm child processes, one function each; the least recently used idle one makes room for another."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import select
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.engine import worker_processes
from rehearsal.engine.moto_seams.functions import Function
from rehearsal.engine.worker_processes import ForkServer

IDLE_LIMIT = (
    9  # more than a deployment has functions: fewer than a day uses in turn would make each start cold
)
INITIALISATION_SECONDS = (
    60.0  # generous: importing is slow on a busy machine, and AWS does not count it either
)
RUNTIME_PACKAGES = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)  # as AWS's has
CLOCK_PACKAGES = ("time_machine", "_time_machine")  # for worker.py itself


class TimedOutError(Exception):
    """The child did not answer in time; it was killed."""


class ExitedError(Exception):
    """The child ended without an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"signal: {signal.Signals(-status).name}" if status < 0 else f"exit status {status}")


class Worker:
    """One child process that has the function's code, environment and role, and keeps its state between calls."""

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        directory: Path,
        forkserver: ForkServer | None = None,
    ) -> None:
        self.function = function
        self._output = (directory / f"{function.name}.output").open("w+b")
        request_out, self._requests = os.pipe()
        self._responses, response_in = os.pipe()
        runtime, pipes = directory / "runtime", (request_out, response_in)
        forked = forkserver and forkserver.fork(environment, self._output, pipes)
        self._process: worker_processes.Process = forked or worker_processes.fresh(
            environment, self._output, pipes, runtime
        )
        os.close(request_out)
        os.close(response_in)
        self._read_to = 0

    def ask(self, message: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
        """Send one message and wait for its answer; a child that is late or gone is stopped."""
        deadline = time.monotonic() + timeout_seconds
        try:
            with open(os.dup(self._requests), "wb") as requests:
                requests.write(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise ExitedError(self._process.wait()) from None
        answer = b""
        while not answer.endswith(b"\n"):
            if not select.select([self._responses], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.stop()
                raise TimedOutError
            chunk = os.read(self._responses, 1 << 16)
            if not chunk:
                raise ExitedError(self._process.wait())
            answer += chunk
        decoded: dict[str, Any] = json.loads(answer)
        return decoded

    def new_output(self) -> str:
        """What the child has printed since the last call."""
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), size - self._read_to, self._read_to)
        self._read_to = size
        return text.decode(errors="replace")

    def stop(self) -> None:
        worker_processes.stop(self._process)

    def close(self) -> None:
        self.stop()
        self._output.close()
        os.close(self._requests)
        os.close(self._responses)


class WorkerPool:
    """Hands out a warm worker of exactly this function, or a new one; any thread may ask."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._idle: list[Worker] = []  # least recently used first
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._forkserver: ForkServer | None = None
        link_packages(directory / "runtime", (*RUNTIME_PACKAGES, *CLOCK_PACKAGES))

    def fork_workers(self) -> None:
        """From now on start workers by forks of one process: sooner, and in less memory."""
        if sys.platform == "linux" and self._forkserver is None:  # its sockets keep messages apart
            self._forkserver = ForkServer(self.directory / "runtime")

    def take(self, function: Function) -> Worker | None:
        """An idle worker of this function as it is deployed now; workers of its older code are stopped."""
        with self._lock:
            for worker in [idle for idle in self._idle if idle.function.name == function.name]:
                self._idle.remove(worker)
                if worker.function == function:
                    self._busy.add(worker)
                    return worker
                worker.close()
        return None

    def start(self, function: Function, environment: Mapping[str, str]) -> Worker:
        worker = Worker(function, environment, self.directory, self._forkserver)
        with self._lock:
            self._busy.add(worker)
        return worker

    def give_back(self, worker: Worker, *, healthy: bool) -> None:
        with self._lock:
            self._busy.discard(worker)
            if healthy:
                self._idle.append(worker)
            else:
                worker.close()
            while len(self._idle) > IDLE_LIMIT:
                self._idle.pop(0).close()

    def close(self) -> None:
        with self._lock:
            for worker in [*self._idle, *self._busy]:
                worker.close()
            self._idle, self._busy = [], set()
            if self._forkserver:
                self._forkserver.close()
                self._forkserver = None


def unzip(code: bytes, directory: Path) -> Path:
    """The deployed code as a directory, once per content."""
    root = directory / "code" / hashlib.sha256(code).hexdigest()[:16]
    if not root.exists():
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            archive.extractall(root)
    return root


def link_packages(directory: Path, names: tuple[str, ...]) -> None:
    """A directory that holds these installed packages and nothing else."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"the local Lambda runtime needs the package {name}; install boto3 and time-machine"
            )
        source = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        link = directory / source.name
        if not link.is_symlink():
            link.symlink_to(source)
