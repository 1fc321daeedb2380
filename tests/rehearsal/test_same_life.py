"""The same life is the same journal, byte for byte; and it ends the same when AWS delivers twice and out of order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Life:
    exit_code: int
    journal: bytes
    summary: dict[str, Any]

    @property
    def entries(self) -> Counter[str]:
        return Counter(json.loads(line)["entry"] for line in self.journal.splitlines())


@pytest.fixture(scope="module")
def lives(small: Path, assembly: Path, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Life]:
    """One seed in two processes that hash differently, and another seed."""
    base = tmp_path_factory.mktemp("lives")

    def live(name: str, *, seed: int, hash_seed: str) -> Life:
        out = base / name
        command = [
            *(sys.executable, "-m", "rehearsal", "--config", str(small), "--tables", str(tables)),
            *("--assembly", str(assembly), "--until", "2013-03-03", "--retrains", "1", "--out", str(out)),
            *("--seed", str(seed)),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (out / "summary.json").exists(), done.stdout + done.stderr
        summary = json.loads((out / "summary.json").read_text())
        return Life(done.returncode, (out / "journal.jsonl").read_bytes(), summary)

    with ThreadPoolExecutor(2) as pool:
        begun = [
            pool.submit(live, "one", seed=1, hash_seed="1"),
            pool.submit(live, "same-again", seed=1, hash_seed="4242"),
            pool.submit(live, "other", seed=2, hash_seed="7"),
        ]
        return [one.result() for one in begun]


def test_the_same_seed_writes_the_same_journal_to_the_byte_in_another_process(lives: list[Life]) -> None:
    one, again, _ = lives
    assert one.entries["invocation"] > 20
    assert one.journal.splitlines() == again.journal.splitlines()
    assert one.journal == again.journal


def test_twice_and_out_of_order_a_life_ends_as_in_order_and_once(lives: list[Life]) -> None:
    """As test_one_turn.py has it: two models live, one retrain, nothing failed."""
    for life in (lives[0], lives[2]):
        assert life.entries["echo"] > 5
        assert [one for one in life.summary["expectations"] if not one["held"]] == []
        assert life.exit_code == 0
        assert [(one["release"], one["outcome"]) for one in life.summary["versions"]] == [
            ("000001", "live"),
            ("000002", "live"),
        ]
        ended = [(run["plan"]["cause"], run["outcome"]) for run in life.summary["runs"]]
        assert sorted(ended) == [("alarm", "Succeeded"), ("push", "Succeeded")]
        gates = [one["verdict"] for one in life.summary["decisions"] if one["kind"] == "gate"]
        assert gates == ["passed", "passed"]


def test_other_choices_make_another_journal(lives: list[Life]) -> None:
    one, _, other = lives
    assert one.journal != other.journal
