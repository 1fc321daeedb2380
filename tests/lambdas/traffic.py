"""What an endpoint captures and what people deliver, in the formats of SageMaker."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

import numpy as np

from domain.drift.categories import category_grid
from domain.drift.counts import count
from domain.drift.grid import CELLS, number_grid
from domain.drift.profile import Profile, day_signals, grids_of
from domain.drift.rows import batch
from domain.drift.signals import Training
from domain.releases import Champion
from tests.lambdas.local import DEPLOYMENT, IMAGE, Local

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/1"
RUN = "s3://artefacts/runs/run-1"
SCHEMA = {
    "task": "binary",
    "target": "late",
    "time": "event_time",
    "features": [{"name": "hour", "kind": "number"}, {"name": "origin", "kind": "category"}],
}


def requests_of(
    seed: int, rows: int = 100, *, later: int = 0, origins: str = "JFK" * 3 + "EWR"
) -> list[list[Any]]:
    """A day's rows as in training, or so many hours later, or of other origins."""
    draw = Random(seed)
    names = [origins[i : i + 3] for i in range(0, len(origins), 3)]
    return [[draw.randrange(6, 20) + later, draw.choice(names)] for _ in range(rows)]


def answers_to(rows: Sequence[Sequence[Any]]) -> list[float]:
    return [hour / 24 for hour, _ in rows]


@cache
def profile(days: int = 42) -> str:
    """Of days from 1 February on, of 100 rows each."""
    rows = {day: requests_of(day) for day in range(days)}
    flat = [row for day in rows.values() for row in day]
    hours, answers = np.array([row[0] for row in flat], float), np.array(answers_to(flat))
    hour = number_grid(hours)
    tally = np.bincount(hour.cells(hours), minlength=CELLS)
    origins = category_grid(row[1] for row in flat)
    grids = grids_of({"hour": hour}, {"origin": origins}, number_grid(answers), [tally])

    def counted(some: list[list[Any]]) -> Any:
        columns = {"hour": [str(row[0]) for row in some], "origin": [row[1] for row in some]}
        return count(grids, batch(grids, columns, np.array(answers_to(some))))

    training = Training(grids, counted(flat))
    first = date(2013, 2, 1)
    signals = tuple(day_signals(training, str(first + timedelta(day)), counted(rows[day])) for day in rows)
    return Profile(("hour", "origin"), training, signals, {}).to_json()


def crown(
    local: Local,
    *,
    heldout_loss: float = 0.125,
    reference: Sequence[Sequence[Any]] = (),
    labels: Sequence[Sequence[Any]] = (),
    profile_days: int = 42,
    since: str = "2013-04-01T00:00:00Z",
) -> Champion:
    """A live model, with the report, the reference days and the profile of its training."""
    report = {"schema": SCHEMA, "reference": {"days": reference, "without": "", "labels": labels}}
    champion = Champion(
        release_id="000001",
        package_arn=PACKAGE,
        model_data=f"{RUN}/model/model.tar.gz",
        image=IMAGE,
        report_uri=local.put_json(f"{RUN}/report/report.json", report),
        profile_uri=local.put(f"{RUN}/report/profile.json", profile(profile_days)),
        heldout_loss=heldout_loss,
        since=since,
    )
    local.ledger.crown(champion)
    return champion


def exchange(name: str, rows: list[list[Any]], predictions: list[float], *, model: str = PACKAGE) -> str:
    def side(body: object) -> dict[str, str]:
        return {"data": json.dumps(body), "encoding": "JSON", "observedContentType": "application/json"}

    data = {
        "endpointInput": side({"instances": rows}),
        "endpointOutput": side({"model": model, "predictions": predictions}),
    }
    meta = {"eventId": f"event-{name}", "inferenceId": name, "inferenceTime": "2013-04-18T10:00:00Z"}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})


def captured(local: Local, day: str, lines: Iterable[str], *, file: str = "10/a.jsonl") -> str:
    return local.put(f"s3://capture/capture/{DEPLOYMENT}/live/{day}/{file}", "\n".join(lines) + "\n")


def labelled(local: Local, day: str, labels: dict[str, str], *, file: str = "a.jsonl") -> str:
    lines = [
        json.dumps({"groundTruthData": {"data": data, "encoding": "CSV"}, "eventMetadata": {"eventId": name}})
        for name, data in labels.items()
    ]
    return local.put(f"s3://data/labels/{day}/{file}", "\n".join(lines) + "\n")
