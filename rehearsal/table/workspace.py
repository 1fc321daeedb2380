"""What a table needs of its own in the repository: a model.py and a configuration; and its rows as files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import yaml

from config.schema import DELIVERY_FILE, Config
from rehearsal.table import pace
from rehearsal.table.prepare import TIME, Prepared

HISTORY = Path("history") / "history.csv.gz"
MODEL = '''"""Written from {name} by `make rehearse DATA=...`. Copy it to training/model.py and make it yours."""

from sklearn.pipeline import Pipeline

from training.default import pipeline

TASK = {task}
TIME = {time}
TARGET = {target}
FEATURES = {features}
{classes}

def estimator() -> Pipeline:
    return pipeline(TASK, FEATURES)
'''


def files(prepared: Prepared, base: Config) -> dict[str, str]:
    """Path in the repository -> text: what somebody with this table would write before the first push."""
    delivery = {"name": base.name, "region": base.region, "environments": [base.environment]}
    return {
        "training/model.py": model_py(prepared),
        f"config/{base.environment}.yaml": yaml.safe_dump(settings(prepared, base), sort_keys=False),
        f"config/{DELIVERY_FILE}": yaml.safe_dump(delivery, sort_keys=False),
    }


def model_py(prepared: Prepared) -> str:
    features = json.dumps(prepared.kinds, indent=4).replace('"\n}', '",\n}')
    return MODEL.format(
        name=prepared.name.encode("ascii", "replace").decode().replace('"', "'").replace("\\", "/"),
        task=json.dumps(prepared.task),
        time=json.dumps(TIME),
        target=json.dumps(prepared.target),
        features=features,
        classes=f"CLASSES = {json.dumps(prepared.classes, ensure_ascii=False)}\n" if prepared.classes else "",
    )


def settings(prepared: Prepared, base: Config) -> dict[str, object]:
    """The base configuration with what depends on the table, and with nobody to wait for."""
    history = prepared.pace.times.iloc[: prepared.pace.first_played]
    window_days, min_rows = pace.window(len(prepared.played), prepared.pace.days)
    body = base.model_dump(
        mode="json", exclude_unset=True
    )  # a default that is said may mean nothing in a mode
    body |= {"approval": "automatic", "retraining": "on", "bring": {}}
    changes: dict[str, dict[str, object]] = {
        "gate": {"holdout_days": pace.holdout_days(history)},
        "monitoring": {"window_days": window_days, "min_rows": min_rows},
    }
    return body | {part: {**body.get(part, {}), **more} for part, more in changes.items()}


def write_tables(prepared: Prepared, directory: Path) -> None:
    """The history, and each month that is played."""
    _write(directory / HISTORY, prepared.history)
    for month, rows in prepared.played.groupby(prepared.played[TIME].str.slice(0, 7), sort=True):
        _write(directory / f"{month}.csv.gz", rows)


def _write(path: Path, rows: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = rows.to_csv(index=False, lineterminator="\n")
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
