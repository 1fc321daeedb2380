"""A server on one core and its caller on another: started, asked, measured, stopped."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import ROOT, tree

SERVER_CORE, CALLER_CORE = "1", "0"
UP_WITHIN_SECONDS = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Contender:
    """How to start a server; `{port}` in its words is where it must listen."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Load:
    per_second: float
    p50_us: float
    p99_us: float
    cpu_us: float
    """Of the server's processes, a request."""


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    seconds_to_first_ping: float

    def ask(self, body: Path, *, connections: int, seconds: float) -> Load:
        """Raises RuntimeError if an answer was no 200."""
        before = self.cpu_seconds()
        caller = [sys.executable, "-m", "benchmarks.servers.load", str(self.port), str(body)]
        run = subprocess.run(
            ["taskset", "-c", CALLER_CORE, *caller, str(connections), str(seconds)],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        said = json.loads(run.stdout)
        if said["refused"]:
            raise RuntimeError(f"{said['refused']} of {said['all']} answers were no 200")
        cpu = (self.cpu_seconds() - before) / said["all"] * 1e6
        return Load(said["per_second"], said["p50_us"], said["p99_us"], cpu)

    def cpu_seconds(self) -> float:
        return sum(map(_ticks, tree(self.process.pid))) / TICKS

    def worker_mb(self) -> float:
        """Resident memory of the largest of its processes, which is the worker that answers."""
        return max(map(_resident_mb, tree(self.process.pid)))


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


@contextmanager
def started(contender: Contender, port: int, log: Path) -> Iterator[Running]:
    """Up when its first /ping is answered. Raises RuntimeError with its log if it does not come up."""
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *(word.format(port=port) for word in contender.command)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", **contender.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not _is_up(port):
            if process.poll() is not None or time.perf_counter() - began > UP_WITHIN_SECONDS:
                raise RuntimeError(f"{contender.name} did not come up: {log.read_text()[-1000:]}")
            time.sleep(0.005)
        yield Running(process, port, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def _is_up(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
