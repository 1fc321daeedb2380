"""A small table and a small model.py, so that these tests hold whatever model the user writes."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from training import user
from training.__main__ import main

Row = dict[str, str]
COLUMNS = ("at", "place", "heat", "wind", "late")
START = datetime(2013, 1, 1, tzinfo=UTC)


def rows_of(days: int = 24, per_day: int = 40) -> list[Row]:
    """Heat makes late; wind is noise, sometimes missing; a row every few minutes."""
    draw = random.Random(7)
    rows = []
    for number in range(days * per_day):
        at = START + timedelta(minutes=number * (24 * 60 // per_day))
        heat = draw.uniform(0, 40)
        rows.append(
            {
                "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "place": draw.choice(["north", "south"]),
                "heat": f"{heat:.1f}",
                "wind": "" if number % 10 == 0 else f"{draw.uniform(0, 9):.2f}",
                "late": str(int(draw.random() < heat / 40)),
            }
        )
    return rows


def estimator(last: Any = None, numbers: Sequence[str] = ("heat", "wind")) -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["place"]), (SimpleImputer(), list(numbers))
    )
    return make_pipeline(columns, last or LogisticRegression())


def model_py(**changes: Any) -> SimpleNamespace:
    """What model.py would hold; a change to None removes a name."""
    features = {"place": "category", "heat": "number", "wind": "number"}
    names = {"TASK": "binary", "TIME": "at", "TARGET": "late", "FEATURES": features, "estimator": estimator}
    return SimpleNamespace(**{name: value for name, value in (names | changes).items() if value is not None})


def regression_model_py() -> SimpleNamespace:
    return model_py(TASK="regression", TARGET="heat", FEATURES={"wind": "number"}, estimator=wind_only)


def wind_only() -> Any:
    return make_pipeline(SimpleImputer(), LinearRegression())


def packed(rows: Sequence[Row], columns: Sequence[str] | None = None) -> bytes:
    """A part of a snapshot; its columns are those of the first row unless they are given."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, columns or tuple(rows[0]), restval="", extrasaction="ignore", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


class Job:
    """The directory that stands for /opt/ml, and the container's commands run on it."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.processing = base / "processing"
        self.monkeypatch = monkeypatch
        self.use(model_py())
        monkeypatch.setenv("SM_BASE_DIR", str(base))

    def use(self, model: SimpleNamespace) -> None:
        self.monkeypatch.setattr(user, "_model", lambda: model)

    def deliver(self, bodies: Sequence[bytes], created: str = "", **changes: Any) -> None:
        """Parts as a download of their S3 prefix lays them, and their manifest; changes apply to each part."""
        parts = []
        for body in bodies:
            sha256 = hashlib.sha256(body).hexdigest()
            self.file("processing", "parts", f"{sha256[:16]}.csv.gz").write_bytes(body)
            key = f"snapshots/parts/{sha256[:16]}.csv.gz"
            rows = gzip.decompress(body).count(b"\n") - 1
            parts.append({"key": key, "sha256": sha256, "rows": rows} | changes)
        manifest = {"format": 1, "id": "abc", "previous": None, "columns": list(COLUMNS), "parts": parts}
        manifest |= {"created": created}
        self.file("processing", "snapshot", "manifest.json").write_text(json.dumps(manifest))

    def run(self, command: str) -> int:
        return main([command])

    def trained(self, rows: Sequence[Row] | None = None) -> None:
        """A snapshot, prepared and trained on, laid out for evaluate."""
        self.deliver([packed(rows_of() if rows is None else rows)])
        assert self.run("prepare") == 0
        self.file("input", "data", "train", "train.csv.gz").write_bytes(
            (self.processing / "train" / "train.csv.gz").read_bytes()
        )
        assert self.run("train") == 0
        self.archive_to("processing", "model", "model.tar.gz")
        self.file("processing", "plan", "plan.json").write_text('{"run_id": "r1"}')

    def archive_to(self, *names: str) -> None:
        with tarfile.open(self.file(*names), "w:gz") as tar:
            tar.add(self.base / "model", arcname=".")

    def file(self, *names: str) -> Path:
        file = self.base.joinpath(*names)
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def json(self, *names: str) -> Any:
        return json.loads(self.processing.joinpath(*names).read_text())

    def reason(self, name: str) -> str:
        return (self.base / "output" / name).read_text()
