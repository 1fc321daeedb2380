"""Judge the new model on days it has not seen, against the champion; profile what one that passed was trained on."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.archive import Digest, inspect
from domain.gate import Objection, decide_gate, with_objections
from domain.job_settings import BiasSettings, DecisionSettings, ExplainSettings, GateSettings
from domain.manifest import MODEL_FILES
from domain.slices import judge_slices
from domain.threshold import Threshold, by_cost, by_f_beta
from training import bias, curves, losses, paths, tables, user
from training.artefact import Model
from training.errors import Refused
from training.explain import explain
from training.importance import permutation_importance
from training.losses import RowLosses
from training.metrics import model_quality
from training.multiclass import multiclass_quality
from training.page import page
from training.profile import profile
from training.reference import reference
from training.resampling import numbered
from training.schema import Schema

Vector = NDArray[np.float64]


def main() -> None:
    margin, resamples = gate_margin(), user.whole_number("GATE_RESAMPLES", 1000)
    archive = paths.processing("model", "model.tar.gz")
    challenger = Model.from_archive(archive)
    schema = challenger.schema
    train = tables.read(paths.processing("train", "train.csv.gz"))
    test = tables.read(paths.processing("test", "test.csv.gz"))
    predictions = finite(predict(challenger, test))
    targets, train_targets = tables.targets(test, schema), tables.targets(train, schema)
    champion, why_none = read_champion(schema, test)
    row_losses = RowLosses(
        tables.days(test, schema),
        losses.each_row(schema.task, predictions, targets),
        None if champion is None else losses.each_row(schema.task, finite(predict(champion, test)), targets),
        losses.each_row(schema.task, base_rate(schema, train_targets, len(test)), targets),
    )
    threshold = threshold_of(schema.task, predictions)
    measured = bias_of(schema, train, train_targets, test, targets, yes(schema, predictions, threshold))
    report = {
        "schema": schema.to_dict(),
        **summarise(schema.task, row_losses, test, margin, resamples, measured.objections),
        "no_champion": why_none,
        **quality(schema, predictions, targets, row_losses, threshold, train_targets),
        "importance": permutation_importance(
            tables.features(test, schema), tables.truth(targets, schema), challenger.predict
        ),
        **shap_of(challenger, train, test),
        "plan": json.loads(paths.processing("plan", "plan.json").read_text(encoding="utf-8")),
        "artefact": artefact(archive),
    }
    watched: dict[str, str] = {}
    if report["gate"]["passed"]:
        known = reference(schema, train, test, predictions)
        report["reference"] = known.to_json()
        watched = {"profile.json": profile(schema, train, test, known.answers, predictions).to_json()}
    evidence = {
        **watched,
        "bias.json": json.dumps(measured.report, indent=1, allow_nan=False) + "\n",
        "report.html": page(report, measured.report, read_checks()),
    }
    report["evidence"] = {name: Digest.of(text.encode()).sha256 for name, text in evidence.items()}
    for name, text in {
        **evidence,
        "report.json": json.dumps(report, indent=1, allow_nan=False) + "\n",
    }.items():
        write(name, text)
    print(f"heldout:loss={report['heldout_loss']:.6f}\ngate:passed={int(report['gate']['passed'])}")


def shap_of(challenger: Model, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    """What moved the answers, if the configuration asks; the library alone takes seconds to load."""
    rows = ExplainSettings.from_env(ExplainSettings().to_env() | os.environ).shap_rows
    return {"shap": explain(challenger, train, test, rows)} if rows else {}


def artefact(archive: Path) -> dict[str, Any]:
    """What was judged, to the byte: whoever signs the model asks whether it is still that."""
    with archive.open("rb") as stream:
        whole, files = inspect(stream, allowed=MODEL_FILES, what=archive.name)
    return {"archive": whole.text(), "files": {name: one.text() for name, one in files.items()}}


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
    if theirs.classes != schema.classes:
        return (
            None,
            f"the champion knows the classes {', '.join(theirs.classes)}; CLASSES in model.py are others",
        )
    if missing := [name for name in theirs.names if name not in test.columns]:
        return None, f"the champion needs {', '.join(missing)}, which the snapshot no longer has"
    return champion, None


def base_rate(schema: Schema, train_targets: Vector, rows: int) -> Vector:
    """What knows nothing but the training rows' targets would answer: their mean, or the share of each class."""
    if schema.classes:
        return np.tile(tables.truth(train_targets, schema).mean(axis=0), (rows, 1))
    return np.full(rows, train_targets.mean())


def yes(schema: Schema, predictions: Vector, threshold: Threshold) -> NDArray[np.bool_]:
    """The rows to which the model says yes; of another task nobody asks."""
    asked = predictions >= threshold.value if schema.task == "binary" else np.zeros(len(predictions))
    return np.asarray(asked, dtype=bool)


def predict(model: Model, table: pd.DataFrame) -> Vector:
    return model.predict(tables.features(table, model.schema))


def read_checks() -> dict[str, Any]:
    """What CheckData found."""
    found: dict[str, Any] = json.loads(paths.processing("checks", "checks.json").read_text(encoding="utf-8"))
    return found


def finite(predictions: Vector) -> Vector:
    if not np.isfinite(predictions).all():
        wrong = int((~np.isfinite(predictions).reshape(len(predictions), -1).all(axis=1)).sum())
        raise Refused(
            f"a model answered {wrong} of {len(predictions)} held-out rows with no finite number; "
            "nothing can be compared: look at estimator() in model.py"
        )
    return predictions


def threshold_of(task: str, predictions: Vector) -> Threshold:
    """From which probability on the model's answer counts as a yes; a regression's is never asked."""
    asked = DecisionSettings.from_env(DecisionSettings().to_env() | os.environ)
    if task == "binary" and asked.f_beta:
        return by_f_beta(predictions.tolist(), asked.f_beta)
    return by_cost(miss_cost=asked.miss_cost, false_alarm_cost=asked.false_alarm_cost)


def quality(
    schema: Schema,
    predictions: Vector,
    targets: Vector,
    row_losses: RowLosses,
    threshold: Threshold,
    train_targets: Vector,
) -> dict[str, Any]:
    """Metrics in the registry's format; of probabilities also the curves, calibration and threshold."""
    if schema.task == "multiclass":
        sure, right = predictions.max(axis=1), predictions.argmax(axis=1) == targets
        shares = tables.truth(train_targets, schema).mean(axis=0)
        days = numbered(row_losses.days)
        found = multiclass_quality(predictions, targets, days, classes=schema.classes, shares=shares)
        return {**found, "calibration": curves.calibration(sure, right.astype(np.float64))}
    found = model_quality(
        schema.task,
        predictions,
        targets,
        numbered(row_losses.days),
        threshold=threshold.value,
        base_rate=float(train_targets.mean()),
        features=len(schema.features),
    )
    if schema.task == "binary":
        found["binary_classification_metrics"] |= curves.curves(predictions, targets)
        found |= {"calibration": curves.calibration(predictions, targets), "threshold": asdict(threshold)}
    return found


def bias_of(
    schema: Schema,
    train: pd.DataFrame,
    train_targets: Vector,
    test: pd.DataFrame,
    targets: Vector,
    answers: Any,
) -> bias.Bias:
    settings = BiasSettings.from_env(BiasSettings().to_env() | os.environ)
    if schema.task != "binary" and bias.facets_of(settings):
        raise Refused(
            f"bias.facets is set and TASK is {schema.task!r}; these metrics are of a yes or no: leave it out"
        )
    return bias.measure(settings, train, train_targets, test, targets, answers, schema.target)


def summarise(
    task: str,
    row_losses: RowLosses,
    test: pd.DataFrame,
    margin: float,
    resamples: int,
    objections: list[Objection],
) -> dict[str, Any]:
    """What the gate says of the whole and of the slices that it was told to look at, and what else speaks against."""
    asked, days = GateSettings.from_env(GateSettings().to_env() | os.environ), losses.by_day(row_losses)
    columns = [column for column in asked.gate_slices.split(",") if column]
    slices = judge_slices(losses.by_slice(test, row_losses, columns), margin=asked.gate_slice_margin)
    worse = [Objection("slice", one.reason) for one in slices if not one.passed]
    verdict = with_objections(decide_gate(days, margin=margin, resamples=resamples), [*worse, *objections])
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
        "slices": [asdict(one) for one in slices],
        "day_losses": [asdict(day) for day in days],
    }


def write(name: str, text: str) -> None:
    file = paths.processing("report", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
