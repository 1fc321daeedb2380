"""What a calendar would have done: a model at the start and one on each first of a month, on all rows so far."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from rehearsal.engine import images
from rehearsal.scenarios.dataset import rows
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.parity import in_memory
from rehearsal.scenarios.traffic import Answer
from rehearsal.scenarios.turn import Scenario

AT_ONCE = 2
LABELS_COME_AFTER = timedelta(days=1)

Predictions = dict[str, tuple[float, ...]]


def firsts(scenario: Scenario) -> list[datetime]:
    """The firsts of a month after the start and before the end."""
    found, month = [], scenario.start
    while (month := (month.replace(day=1) + timedelta(days=32)).replace(day=1)) < scenario.end:
        found.append(month)
    return found


def retrained(
    deployment: Deployment, scenario: Scenario, answers: Sequence[Answer], *, time: str
) -> Predictions:
    """What the models of the calendar would have answered from the first of their month on.

    They are trained by the image's own code on every row of which the label is known by then, and released
    without a gate. Raises RuntimeError with the reason if one cannot be trained.
    """
    months = firsts(scenario)
    uri = deployment.ledger_bodies("RELEASE")[0]["parameter"].split(",")[2]
    image = images.resolve(deployment.account, uri)
    code = image.directory / image.config.workdir.strip("/")
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(AT_ONCE) as pool:
        bases = [Path(scratch) / f"{month:%Y-%m}" for month in months]
        for month, base in zip(months, bases, strict=True):
            _write(base / "input" / "data" / "train" / "rows.csv.gz", _known(scenario, month, time))
        list(pool.map(lambda base: _train(code, base), bases))
        predictions: Predictions = {}
        for month, base in zip(months, bases, strict=True):
            later = [answer for answer in answers if answer.at >= month]
            predictions |= _answers(base / "model", later)
    return predictions


def _known(scenario: Scenario, month: datetime, time: str) -> Iterator[dict[str, str]]:
    """History, and the played rows that happened a day before the month began or earlier."""
    for name in scenario.history:
        yield from rows(scenario.tables / name)
    first, last = (f"{instant:%Y-%m-%dT%H}" for instant in (scenario.start, month - LABELS_COME_AFTER))
    for path in sorted(scenario.tables.glob("*.csv.gz")):
        if path.name[:7] <= last[:7] and path.name not in scenario.history:
            yield from (row for row in rows(path) if first <= row[time] < last)


def _write(path: Path, table: Iterator[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True)
    first = next(table)
    with gzip.open(path, "wt", newline="", compresslevel=1) as file:
        writer = csv.DictWriter(file, list(first), lineterminator="\n")
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(table)


def _train(code: Path, base: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "SM_BASE_DIR": str(base), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training", "train"]
    done = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no reason given").splitlines()[-1])


def _answers(model: Path, answers: Sequence[Answer]) -> Predictions:
    if not answers:
        return {}
    graph, schema = (model / "model.onnx").read_bytes(), (model / "schema.json").read_bytes()
    values = iter(in_memory(graph, schema, "".join(answer.body for answer in answers)))
    return {answer.inference_id: tuple(next(values) for _ in answer.labels) for answer in answers}
