"""A stranger's table from end to end: it is played, and what its gate says is believed."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.schema import ROOT
from tests.table.tables import write

pytestmark = pytest.mark.slow

NO_REQUEST = {"sent": 0, "answered": 0, "lost": 0, "rows": 0}
HEADER = ["Ausgefallen?", "Datum", "<b>last</b>", "Modell", "Kunde"]


def machine_rows(*, flips: bool) -> list[list[str]]:
    """Fifty days of machines, shuffled: gaps, decimal commas, ids. Three classes; or two, of which from day 20 on
    load means the opposite.
    """
    rng = random.Random(5)
    start = datetime(2022, 5, 2, tzinfo=UTC)
    body = []
    for i in range(600):
        load = rng.random()
        heavy = (load > 0.6) != (flips and i * 50 // 600 >= 20)
        fails = "ja" if rng.random() < 0.15 + 0.7 * heavy else "nein"
        fails = fails if flips or rng.random() < 0.8 else "in Wartung, länger"
        cell = "" if i % 11 == 0 else f"{load:.3f}".replace(".", ",")
        day = start + timedelta(days=i * 50 // 600)
        body.append([fails, f"{day:%d.%m.%Y}", cell, rng.choice(["A", "B", ""]), f"K-{i:05}"])
    rng.shuffle(body)
    return body


def rehearse(tmp_path: Path, *, flips: bool) -> tuple[int, dict, str]:
    data = write(tmp_path / "eine tabelle.csv", machine_rows(flips=flips), header=HEADER, delimiter=";")
    out = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "rehearsal", "--no-engine", "--out", str(out), f"--data={data}"),
        *("--target=Ausgefallen?", "--time=datum"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    path = out / "summary.json"
    assert path.exists(), done.stdout + done.stderr
    page = (out / "rehearsal-report.html").read_text()
    return done.returncode, json.loads(path.read_text()), page


def test_a_strangers_table_is_trained_released_and_watched(tmp_path: Path) -> None:
    model_py = (ROOT / "training" / "model.py").read_bytes()
    code, summary, page = rehearse(tmp_path, flips=False)
    assert [one for one in summary["expectations"] if not one["held"]] == []
    assert code == 0
    assert summary["versions"][0]["outcome"] == "live"
    written = (tmp_path / "out" / "own" / "repository" / "training" / "model.py").read_text()
    assert 'CLASSES = ["in Wartung, länger", "ja", "nein"]' in written
    assert summary["requests"]["rows"] > 150
    assert summary["requests"]["lost"] == 0
    assert "&lt;b&gt;last&lt;/b&gt;" in page
    assert "<b>last</b>" not in page
    judged = re.findall(r'href="(evaluations/[\w-]+\.html)"', page)
    assert len(judged) == len(summary["runs"])
    assert all("the gate</span>" in (tmp_path / "out" / path).read_text() for path in judged)
    assert (ROOT / "training" / "model.py").read_bytes() == model_py


def test_a_model_that_is_worse_than_the_mean_is_refused_and_the_rehearsal_says_why(tmp_path: Path) -> None:
    code, summary, page = rehearse(tmp_path, flips=True)
    assert code == 3
    assert summary["passed"]
    assert summary["requests"] == {**NO_REQUEST, "while_changing": NO_REQUEST}
    assert "is not below the base rate's" in summary["refused"]
    assert "Nothing was served" in page
