"""This repository as it would be for the table: a configuration and a model.py of its own, the rest as it is."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from config.schema import ROOT, Config
from rehearsal.table import pace
from rehearsal.table.prepare import TIME, Prepared

TAKEN_AS_THEY_ARE = ("app.py", "cdk.json", ".dockerignore", "domain", "lambdas", "requirements", "stacks")
HISTORY = Path("history") / "history.csv.gz"
MODEL = '''"""Written from {name} by `make rehearse DATA=...`. Copy it to training/model.py and make it yours."""

from sklearn.pipeline import Pipeline

from training.default import pipeline

TASK = {task}
TIME = {time}
TARGET = {target}
FEATURES = {features}


def estimator() -> Pipeline:
    return pipeline(TASK, FEATURES)
'''


@dataclass(frozen=True)
class Workspace:
    """`root` is the repository, `tables` holds the history and the months that are played."""

    root: Path
    tables: Path
    config: Path


def lay_out(prepared: Prepared, base: Config, directory: Path) -> Workspace:
    """Write the table, its model.py and its configuration, beside a copy of everything else."""
    root, tables = directory / "repository", directory / "tables"
    root.mkdir(parents=True)
    no_bytecode = shutil.ignore_patterns("__pycache__")
    for name in TAKEN_AS_THEY_ARE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=no_bytecode)
        else:
            shutil.copy2(source, root / name)
    shutil.copytree(ROOT / "training", root / "training", ignore=no_bytecode)
    shutil.copytree(ROOT / "config", root / "config", ignore=shutil.ignore_patterns("__pycache__", "*.yaml"))
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / "training" / "model.py").write_text(model_py(prepared), encoding="utf-8")
    config = root / "config" / f"{base.environment}.yaml"
    config.write_text(yaml.safe_dump(settings(prepared, base), sort_keys=False), encoding="utf-8")
    _write_tables(prepared, tables)
    return Workspace(root, tables, config)


def model_py(prepared: Prepared) -> str:
    features = json.dumps(prepared.kinds, indent=4).replace('"\n}', '",\n}')
    return MODEL.format(
        name=prepared.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/"),
        task=json.dumps(prepared.task),
        time=json.dumps(TIME),
        target=json.dumps(prepared.target),
        features=features,
    )


def settings(prepared: Prepared, base: Config) -> dict[str, object]:
    """The base configuration with what depends on the table, and with nobody to wait for."""
    history = prepared.pace.times.iloc[: prepared.pace.first_played]
    window_days, min_rows = pace.window(len(prepared.played), prepared.pace.days)
    body = base.model_dump(mode="json")
    body |= {"approval": "automatic", "retraining": "on", "bring": {}}
    body["gate"]["holdout_days"] = pace.holdout_days(history)
    body["monitoring"] |= {"window_days": window_days, "min_rows": min_rows}
    return body


def _write_tables(prepared: Prepared, directory: Path) -> None:
    _write(directory / HISTORY, prepared.history)
    for month, rows in prepared.played.groupby(prepared.played[TIME].str.slice(0, 7), sort=True):
        _write(directory / f"{month}.csv.gz", rows)


def _write(path: Path, rows: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = rows.to_csv(index=False, lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
