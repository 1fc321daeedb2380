"""A whole turn of the loop in seconds: every sixth flight, and a March in which late and punctual are swapped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT, Config, load

CONFIG = Path(__file__).parent / "small.yaml"
SIXTH = 6


@dataclass(frozen=True)
class Result:
    """What `python -m rehearsal` ended with."""

    exit_code: int
    summary: dict[str, Any]
    output: str

    @property
    def failed(self) -> dict[str, str]:
        """The expectations that did not hold, and where to look."""
        return {one["expectation"]: one["where"] for one in self.summary["expectations"] if not one["held"]}


def _thinned(month: Path, *, swapped: bool) -> bytes:
    text = io.StringIO()
    with gzip.open(month, "rt", newline="") as file:
        rows = csv.DictReader(file)
        writer = csv.DictWriter(text, rows.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        for i, row in enumerate(rows):
            if i % SIXTH == 0:
                writer.writerow({**row, "late": str(1 - int(row["late"]))} if swapped else row)
    return gzip.compress(text.getvalue().encode(), mtime=0)


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tables")
    for month in ("2013-01", "2013-02", "2013-03"):
        source = ROOT / "examples" / "flights" / f"{month}.csv.gz"
        (directory / source.name).write_bytes(_thinned(source, swapped=month == "2013-03"))
    return directory


def synthesised(config: Config, directory: Path) -> Path:
    from stacks.app import build

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    build([config], outdir=directory, context=context).synth()
    return directory


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesised(load(CONFIG), tmp_path_factory.mktemp("assembly") / "cdk.out")


Rehearse = Callable[[Callable[[dict[str, Any]], None] | None, str], Result]


@pytest.fixture
def rehearse(assembly: Path, tables: Path, tmp_path: Path) -> Rehearse:
    """Rehearse two days, after a change of one stack's template."""

    def run(change: Callable[[dict[str, Any]], None] | None = None, part: str = "") -> Result:
        changed = tmp_path / "cdk.out"
        shutil.copytree(assembly, changed)
        if change:
            [path] = (changed / "assembly-dev").glob(f"dev{part}*.template.json")
            template = json.loads(path.read_text())
            change(template)
            path.write_text(json.dumps(template))
        out = tmp_path / "out"
        command = [
            *(sys.executable, "-m", "rehearsal", "--config", str(CONFIG), "--tables", str(tables)),
            *("--assembly", str(changed), "--until", "2013-03-03", "--retrains", "1", "--out", str(out)),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        path = out / "summary.json"
        assert path.exists(), done.stdout + done.stderr
        return Result(done.returncode, json.loads(path.read_text()), done.stdout)

    return run
