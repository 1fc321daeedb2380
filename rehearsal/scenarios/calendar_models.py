"""Trains the calendar's models one after the other and asks them: a process of its own, the last to get a core."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from domain.loss import Prediction
from rehearsal.scenarios.dataset import hours, request_body, rows
from rehearsal.scenarios.parity import in_memory

PLAN, ANSWERS = "plan.json", "answers.json"
LABELS_COME_AFTER = timedelta(days=1)
GIVES_WAY = 19

Predictions = dict[str, tuple[Prediction, ...]]


@dataclass(frozen=True)
class Plan:
    """What there is to train on and to answer, as JSON has it; times in ISO 8601."""

    tables: str
    history: tuple[str, ...]
    start: str
    end: str
    time: str
    features: tuple[str, ...]
    code: str
    """Where the image's own code lies."""


def firsts(start: datetime, end: datetime) -> list[datetime]:
    """The firsts of a month after the start and before the end."""
    found, month = [], start
    while (month := (month.replace(day=1) + timedelta(days=32)).replace(day=1)) < end:
        found.append(month)
    return found


def answer(plan: Plan, directory: Path) -> Predictions:
    """What each month's model answers to the requests of its month.

    It is trained by the image's own code on every row of which the label is known by then, and released without a
    gate. Raises RuntimeError with the reason if one cannot be trained.
    """
    start, end = datetime.fromisoformat(plan.start), datetime.fromisoformat(plan.end)
    months = firsts(start, end)
    predictions: Predictions = {}
    for month, until in zip(months, [*months[1:], end], strict=True):
        base = directory / f"{month:%Y-%m}"
        _write(base / "input" / "data" / "train" / "rows.csv.gz", _known(plan, start, month))
        _train(Path(plan.code), base)
        predictions |= _answers(plan, base / "model", month, until)
    return predictions


def _known(plan: Plan, start: datetime, month: datetime) -> Iterator[dict[str, str]]:
    """History, and the played rows that happened a day before the month began or earlier."""
    tables = Path(plan.tables)
    for name in plan.history:
        yield from rows(tables / name)
    first, last = (f"{instant:%Y-%m-%dT%H}" for instant in (start, month - LABELS_COME_AFTER))
    for path in sorted(tables.glob("*.csv.gz")):
        if path.name[:7] <= last[:7] and path.name not in plan.history:
            yield from (row for row in rows(path) if first <= row[plan.time] < last)


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


def _answers(plan: Plan, model: Path, month: datetime, until: datetime) -> Predictions:
    graph, schema = (model / "model.onnx").read_bytes(), (model / "schema.json").read_bytes()
    asked = list(hours(Path(plan.tables), time=plan.time, start=month, end=until))
    body = "".join(request_body(hour.cells(plan.features)) for hour in asked)
    values = iter(in_memory(graph, schema, body).tolist()) if asked else iter(())
    return {hour.inference_id: tuple(next(values) for _ in hour.rows) for hour in asked}


def main(directory: Path) -> None:
    os.nice(GIVES_WAY)
    plan = Plan(**json.loads((directory / PLAN).read_text()))
    try:
        predictions = answer(plan, directory)
    except RuntimeError as error:
        sys.exit(str(error))
    (directory / ANSWERS).write_text(json.dumps(predictions))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
