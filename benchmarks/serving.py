"""The endpoint's server against AWS's stack for scikit-learn and FastAPI: one core each, the caller on another.

Peers get an environment of their own under build/, from benchmarks/servers/requirements.txt. The same features,
models and rows for all; each asks the next request when it has its answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import ROOT
from benchmarks.results import Claim
from benchmarks.servers.models import ASKED_ROWS, GRADIENT_BOOSTING, make, place
from benchmarks.servers.running import SERVER_CORE, Contender, Load, started
from domain.prices import parse_prices

WORK = ROOT / "build" / "serving"
REQUIREMENTS = ROOT / "benchmarks" / "servers" / "requirements.txt"
OURS, AWS, FAST, FAST_ONNX = "ours", "AWS's scikit-learn stack", "FastAPI", "FastAPI with ONNX"
SECONDS, TIMES = 1.0, 2
MANY = 16
PORT = 8400
INSTANCE, VCPUS = "ml.c5.large", 2
GOAL = {1: 20, 100: 6}
FIRST_PING_SECONDS, WORKER_MB = 1, 160


@dataclass(frozen=True)
class Measured:
    """One server with one model: by rows of a request, under many callers and under one."""

    many: dict[int, Load]
    one: dict[int, Load]
    start_seconds: float
    worker_mb: float


def measure() -> list[Claim]:
    python = _peers()
    found: dict[str, dict[str, Measured]] = {}
    port = PORT
    for model in make(WORK):
        found[model] = {}
        for contender in _contenders(python, place(WORK, model)):
            port += 1
            found[model][contender.name] = _measured(contender, port)
            print(_line(model, contender.name, found[model][contender.name]), flush=True)
    boosting = found[GRADIENT_BOOSTING]
    return [
        *_speed(found),
        *_latency(boosting),
        *_body(boosting),
        *_floor(boosting[OURS]),
        *_dollars(boosting),
    ]


def _peers() -> str:
    """The peers' own Python, installed at the first time or when their lock has changed."""
    directory = WORK / "peers"
    python, lock = directory / "bin" / "python", directory / "lock.txt"
    if not lock.exists() or lock.read_bytes() != REQUIREMENTS.read_bytes():
        uv = str(Path(sys.executable).parent / "uv")
        make_venv = [uv, "venv", "--quiet", "--clear", "--python", sys.executable]
        subprocess.run([*make_venv, str(directory)], check=True)
        sync = [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--compile-bytecode",
            "--python",
            str(python),
        ]
        subprocess.run([*sync, str(REQUIREMENTS)], check=True)
        lock.write_bytes(REQUIREMENTS.read_bytes())
    return str(python)


def _contenders(python: str, model: Path) -> Iterator[Contender]:
    as_trained = {"MODEL_FILE": str(model / "model.joblib"), "ENGINE": "scikit-learn"}
    as_onnx = {"MODEL_FILE": str(model / "model" / "model.onnx"), "ENGINE": "onnx"}
    fast = [
        python,
        "-m",
        "uvicorn",
        "--port",
        "{port}",
        "--no-access-log",
        "benchmarks.servers.fastapi_app:app",
    ]
    ours = {"SM_BASE_DIR": str(model)}
    bind = "import os, sys; os.environ['SAGEMAKER_BIND_TO_PORT'] = '{port}'; from training.serve import main; main()"
    yield Contender(OURS, [sys.executable, "-c", bind], ours)
    stack = [python, "-m", "benchmarks.servers.aws_stack", str(model / "aws"), "{port}"]
    yield Contender(AWS, stack, as_trained)
    yield Contender(FAST, fast, as_trained)
    yield Contender(FAST_ONNX, fast, as_onnx)


def _measured(contender: Contender, port: int) -> Measured:
    with started(contender, port, WORK / "server.log") as running:
        many, one = {}, {}
        for rows in ASKED_ROWS:
            body = WORK / f"{rows}.csv"
            runs = [running.ask(body, connections=MANY, seconds=SECONDS) for _ in range(TIMES)]
            many[rows] = max(runs, key=lambda load: load.per_second)
            one[rows] = running.ask(body, connections=1, seconds=SECONDS)
        return Measured(many, one, running.seconds_to_first_ping, running.worker_mb())


def _line(model: str, name: str, it: Measured) -> str:
    loads = "; ".join(
        f"{rows} rows: {it.many[rows].per_second:.0f}/s, {it.many[rows].cpu_us:.0f} us of CPU, "
        f"alone p50 {it.one[rows].p50_us:.0f} us"
        for rows in ASKED_ROWS
    )
    return f"{model}, {name}: {loads}; {it.start_seconds:.2f} s, {it.worker_mb:.0f} MB"


def _speed(found: dict[str, dict[str, Measured]]) -> Iterator[Claim]:
    for model, by_name in found.items():
        for rows in ASKED_ROWS:
            ours = by_name[OURS].many[rows]
            for peer in (AWS, FAST, FAST_ONNX):
                theirs = by_name[peer].many[rows]
                goal = f", goal {GOAL[rows]} times" if model == GRADIENT_BOOSTING and peer == AWS else ""
                claim = f"{model}, {_rows(rows)}, {MANY} callers: requests a second on one core{goal}"
                yield Claim(claim, round(ours.per_second), round(theirs.per_second), peer, "requests/s")


def _latency(boosting: dict[str, Measured]) -> Iterator[Claim]:
    for rows in ASKED_ROWS:
        us, them = boosting[OURS], boosting[AWS]
        sides = ((1, us.one[rows], them.one[rows]), (MANY, us.many[rows], them.many[rows]))
        for callers, ours, theirs in sides:
            for what, value in _PERCENTILES.items():
                claim = f"{GRADIENT_BOOSTING}, {_rows(rows)}, callers: {callers}, {what}"
                yield Claim(claim, round(value(ours)), round(value(theirs)), AWS, "us")


_PERCENTILES: dict[str, Callable[[Load], float]] = {
    "half of the answers within": lambda load: load.p50_us,
    "99 of 100 within": lambda load: load.p99_us,
    "CPU of the server a request": lambda load: load.cpu_us,
}


def _body(boosting: dict[str, Measured]) -> Iterator[Claim]:
    ours, theirs = boosting[OURS], boosting[AWS]
    start = "from the start to the first ping"
    yield Claim(start, round(ours.start_seconds, 2), FIRST_PING_SECONDS, "goal", "s")
    yield Claim(start, round(ours.start_seconds, 2), round(theirs.start_seconds, 2), AWS, "s")
    memory = "resident memory of a worker, after the load"
    yield Claim(memory, round(ours.worker_mb), WORKER_MB, "goal", "MB")
    yield Claim(memory, round(ours.worker_mb), round(theirs.worker_mb), AWS, "MB")


def _floor(ours: Measured) -> Iterator[Claim]:
    """Parse, predict and write alone, in a loop of one process: no HTTP, no event loop."""
    for rows in ASKED_ROWS:
        run = [
            sys.executable,
            "-m",
            "benchmarks.serving",
            str(place(WORK, GRADIENT_BOOSTING)),
            str(WORK / f"{rows}.csv"),
        ]
        said = subprocess.run(["taskset", "-c", SERVER_CORE, *run], cwd=ROOT, capture_output=True, check=True)
        claim = f"{GRADIENT_BOOSTING}, {_rows(rows)}: requests a second, against parsing, predicting and writing alone"
        yield Claim(
            claim, round(ours.many[rows].per_second), round(float(said.stdout)), "floor", "requests/s"
        )


def _dollars(boosting: dict[str, Measured]) -> Iterator[Claim]:
    table = (ROOT / "config" / "prices" / "us-east-1.csv").read_text()
    hour = parse_prices(table, "us-east-1")[INSTANCE].usd_per_hour

    def usd(it: Measured, rows: int) -> float:
        return round(hour / (it.many[rows].per_second * VCPUS * 3600) * 1e6, 4)

    for rows in ASKED_ROWS:
        busy = f"{INSTANCE} at {hour} an hour, both vCPUs full"
        claim = f"{GRADIENT_BOOSTING}, {_rows(rows)}: dollars a million requests, {busy}"
        yield Claim(claim, usd(boosting[OURS], rows), usd(boosting[AWS], rows), AWS, "USD")


def _rows(count: int) -> str:
    return f"{count} row{'s' if count > 1 else ''}"


def _alone(directory: str, body: str) -> float:
    """Requests a second of the server's own steps, in the best of ten tries."""
    os.environ["SM_BASE_DIR"] = directory
    from training.serve import application

    server, content = application(1), Path(body).read_bytes()
    headers = {b"content-type": b"text/csv", b"accept": b"text/csv"}
    fastest = 0.0
    for _ in range(10):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < 0.2:
            server.invoke(headers, content)
            count += 1
        fastest = max(fastest, count / (time.perf_counter() - began))
    return fastest


if __name__ == "__main__":
    print(_alone(sys.argv[1], sys.argv[2]))
