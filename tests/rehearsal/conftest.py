"""A whole turn of the loop in seconds: every sixth flight, and a March in which late and punctual are swapped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT, Config, load
from rehearsal.sweep import short
from tests.rehearsal.playing import play


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


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a short life under another name: nothing may take a deployment for the standard one."""
    path = tmp_path_factory.mktemp("config") / "dev.yaml"
    path.write_text(short.CONFIG.read_text().replace("name: tideline\n", "name: small\n"))
    return path


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tables")
    short.write_tables(directory)
    return directory


def synthesised(config: Config, directory: Path) -> Path:
    from stacks.app import build

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    build([config], outdir=directory, context=context).synth()
    return directory


@pytest.fixture(scope="session")
def assembly(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesised(load(small), tmp_path_factory.mktemp("assembly") / "cdk.out")


Rehearse = Callable[[Callable[[dict[str, Any]], None] | None, str], Result]


@pytest.fixture
def rehearse(small: Path, assembly: Path, tables: Path, tmp_path: Path) -> Rehearse:
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
        arguments = [
            *("--config", str(small), "--tables", str(tables), "--assembly", str(changed)),
            *("--until", "2013-03-03", "--retrains", "1", "--out", str(out)),
        ]
        exit_code = play(arguments, tmp_path / "printed")
        printed, path = (tmp_path / "printed").read_text(), out / "summary.json"
        assert path.exists(), printed
        return Result(exit_code, json.loads(path.read_text()), printed)

    return run
