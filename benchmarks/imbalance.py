"""One row in 10,000 is looked for: the product's own jobs, from table to gate, on a seeded table of a million rows.

The same estimator once as it is and once with balanced weights, which is what one is often told to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.process import ROOT
from benchmarks.results import Claim
from training.tables import write

ROWS, DAYS, RARITY = 1_000_000, 40, 1e-4
MISS_COST = 1000.0
"""What a miss costs in false alarms."""
MODEL = '''"""Logistic regression on four numbers."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TASK, TIME, TARGET = "binary", "at", "fraud"
FEATURES = {{"a": "number", "b": "number", "c": "number", "d": "number"}}


def estimator():
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight={weight}))
'''


def table(seed: int = 0) -> pd.DataFrame:
    """Four numbers, two of which shift where the row is one of those that are looked for."""
    rng = np.random.default_rng(seed)
    fraud = rng.uniform(size=ROWS) < RARITY
    columns = {name: rng.normal(size=ROWS) for name in "abcd"}
    columns["a"] += 2.5 * fraud
    columns["b"] += 2.0 * fraud
    seconds = np.arange(ROWS) * (DAYS * 86_400) // ROWS
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    cells = {name: np.char.mod("%.2f", values) for name, values in columns.items()}
    return pd.DataFrame({"at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **cells, "fraud": fraud.astype(int)})


def run(part: Path, weight: str) -> dict[str, Any]:
    """What evaluate reports of a model with these class weights; costs as above."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for folder in ("domain", "training"):
            shutil.copytree(ROOT / folder, base / folder, ignore=shutil.ignore_patterns("__pycache__"))
        (base / "training" / "model.py").write_text(MODEL.format(weight=weight))
        lay_out(base, part)
        job(base, "prepare")
        move(base, "processing/train/train.csv.gz", "input/data/train/train.csv.gz")
        job(base, "train")
        (base / "processing" / "model").mkdir()
        archive = base / "processing" / "model" / "model.tar.gz"
        subprocess.run(["tar", "czf", str(archive), "-C", str(base / "model"), "."], check=True)
        job(base, "evaluate")
        report: dict[str, Any] = json.loads((base / "processing" / "report" / "report.json").read_text())
        return report


def lay_out(base: Path, part: Path) -> None:
    """The snapshot and the plan, where the jobs look for them."""
    body = part.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    parts = [{"key": f"parts/{digest[:16]}.csv.gz", "sha256": digest, "rows": ROWS}]
    files = {
        "snapshot/manifest.json": json.dumps({"format": 1, "id": digest[:16], "parts": parts}).encode(),
        f"parts/{digest[:16]}.csv.gz": body,
        "plan/plan.json": b"{}",
    }
    for name, content in files.items():
        path = base / "processing" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


def move(base: Path, source: str, target: str) -> None:
    (base / target).parent.mkdir(parents=True)
    shutil.copy(base / source, base / target)


def job(base: Path, command: str) -> None:
    environment = {**os.environ, "SM_BASE_DIR": str(base), "MISS_COST": str(MISS_COST)}
    subprocess.run([sys.executable, "-m", "training", command], cwd=base, env=environment, check=True)


def cost_a_million(report: dict[str, Any]) -> float:
    """Of what was missed and falsely alarmed at the threshold, in false alarms, for a million rows."""
    matrix = report["binary_classification_metrics"]["confusion_matrix"]
    cost = MISS_COST * matrix["1"]["0"] + matrix["0"]["1"]
    return float(cost / report["rows"] * 1e6)


def measure() -> list[Claim]:
    with tempfile.TemporaryDirectory() as name:
        part = Path(name) / "part.csv.gz"
        write(part, table())
        plain, balanced = run(part, "None"), run(part, '"balanced"')
    ours, theirs = (
        {k: v.get("value") for k, v in one["binary_classification_metrics"].items()}
        for one in (plain, balanced)
    )
    never = MISS_COST * ours["au_prc_of_chance"] * 1e6
    weights, cost = "balanced weights", f"a million rows, where a miss costs {MISS_COST:,.0f} false alarms"

    def claim(what: str, mine: float, other: float, name: str, unit: str = "") -> Claim:
        return Claim(f"1 in 10,000: {what}", float(f"{mine:.4g}"), float(f"{other:.4g}"), name, unit)

    return [
        claim("AU-PRC", ours["au_prc"], ours["au_prc_of_chance"], "chance"),
        claim("Brier skill over the base rate", ours["brier_skill"], theirs["brier_skill"], weights),
        claim("passes the gate", plain["gate"]["passed"], balanced["gate"]["passed"], weights, "1 is yes"),
        claim(f"cost of {cost}", cost_a_million(plain), cost_a_million(balanced), weights, "false alarms"),
        claim(
            f"cost of {cost}",
            cost_a_million(plain),
            never,
            "never a yes, which is 99.99% right",
            "false alarms",
        ),
    ]
