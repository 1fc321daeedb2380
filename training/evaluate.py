"""Judge the new model on days it has not seen, against the champion; profile what it was trained on."""

from __future__ import annotations

import json
import math
import os
from collections import defaultdict
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.gate import DayLoss, decide_gate
from domain.loss import row_loss
from domain.profile import Profile, profile
from training import paths, tables, user
from training.artefact import Model
from training.errors import Refused
from training.metrics import model_quality
from training.reference import reference
from training.schema import Schema

Vector = NDArray[np.float64]


def main() -> None:
    margin, resamples = gate_margin(), user.whole_number("GATE_RESAMPLES", 1000)
    challenger = Model.from_archive(paths.processing("model", "model.tar.gz"))
    schema = challenger.schema
    train = tables.read(paths.processing("train", "train.csv.gz"))
    test = tables.read(paths.processing("test", "test.csv.gz"))
    champion, why_none = read_champion(schema, test)
    predictions = predict(challenger, test)
    days = day_losses(
        test,
        schema,
        challenger=predictions,
        champion=None if champion is None else predict(champion, test),
        base_rate=float(tables.targets(train, schema).mean()),
    )
    report = {
        "schema": asdict(schema),
        **summarise(schema.task, days, margin, resamples),
        "no_champion": why_none,
        **model_quality(schema.task, predictions, tables.targets(test, schema)),
        "plan": json.loads(paths.processing("plan", "plan.json").read_text(encoding="utf-8")),
    }
    if report["gate"]["passed"]:
        report["reference"] = reference(schema, train, test, predictions).to_json()
    write("report.json", json.dumps(report, indent=1, allow_nan=False) + "\n")
    write("profile.json", profile_of(train, schema).to_json())
    print(f"heldout:loss={report['heldout_loss']:.6f}\ngate:passed={int(report['gate']['passed'])}")


def gate_margin() -> float:
    text = os.environ.get("GATE_MARGIN", "0.02")
    try:
        margin = float(text)
    except ValueError:
        margin = math.nan
    if not 0 <= margin < 1:
        raise Refused(f"GATE_MARGIN is {text!r}, expected a share from 0 to 1, as 0.02")
    return margin


def read_champion(schema: Schema, test: pd.DataFrame) -> tuple[Model | None, str | None]:
    """The model in production, if there is one that answers the same question from columns we have."""
    archive = paths.processing("plan", "champion.tar.gz")
    if not archive.exists():
        return None, "there is no champion yet"
    champion = Model.from_archive(archive)
    theirs = champion.schema
    if (theirs.task, theirs.target) != (schema.task, schema.target):
        return None, f"the champion answers {theirs.task} {theirs.target}, not {schema.task} {schema.target}"
    if missing := [name for name in theirs.names if name not in test.columns]:
        return None, f"the champion needs {', '.join(missing)}, which the snapshot no longer has"
    return champion, None


def predict(model: Model, table: pd.DataFrame) -> Vector:
    return model.predict(tables.features(table, model.schema))


def day_losses(
    test: pd.DataFrame, schema: Schema, *, challenger: Vector, champion: Vector | None, base_rate: float
) -> list[DayLoss]:
    targets = tables.targets(test, schema)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, day in enumerate(tables.days(test, schema)):
        rows_of[day].append(row)

    def total(predictions: Vector, rows: list[int]) -> float:
        return sum(row_loss(schema.task, float(predictions[row]), float(targets[row])) for row in rows)

    constant = np.full(len(test), base_rate)
    return [
        DayLoss(
            day=day,
            rows=len(rows),
            challenger=total(challenger, rows),
            champion=None if champion is None else total(champion, rows),
            base_rate=total(constant, rows),
        )
        for day, rows in sorted(rows_of.items())
    ]


def summarise(task: str, days: list[DayLoss], margin: float, resamples: int) -> dict[str, Any]:
    verdict = decide_gate(days, margin=margin, resamples=resamples)
    rows = sum(day.rows for day in days)
    loss = {
        "challenger": verdict.challenger_loss,
        "champion": verdict.champion_loss,
        "base_rate": sum(day.base_rate for day in days) / rows,
    }
    return {
        "task": task,
        "rows": rows,
        "days": len(days),
        "loss": loss,
        "heldout_loss": verdict.challenger_loss,
        "gate": {**asdict(verdict), "margin": margin, "resamples": resamples},
        "day_losses": [asdict(day) for day in days],
    }


def profile_of(train: pd.DataFrame, schema: Schema) -> Profile:
    kinds = {feature.name: feature.kind for feature in schema.features}
    return profile(kinds, list(train[list(kinds)].itertuples(index=False, name=None)))


def write(name: str, text: str) -> None:
    file = paths.processing("report", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
