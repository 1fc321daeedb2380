"""What `make rehearse` is asked for and cannot do is one sentence, before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from domain.counted import counted
from rehearsal.__main__ import main, parser, stage
from rehearsal.scenarios.coverage import silent_alarms
from rehearsal.table.unusable import Unusable

QUIET = Console(quiet=True)


@pytest.mark.parametrize("until", ["2013-02-28", "2013-03-01", "2014-01-01"])
def test_an_end_that_is_not_in_the_season_is_refused_and_nothing_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, until: str
) -> None:
    (tmp_path / "kept").write_text("x")
    monkeypatch.setattr(sys, "argv", ["make rehearse", "--until", until, "--out", str(tmp_path)])
    assert main() == 2
    said = capsys.readouterr().err
    assert f"--until: got {until} 00:00; allowed: after 2013-03-01 00:00, where flights begins" in said
    assert said.count("\n") == 1
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize(
    "given",
    [
        ["--scenario", "quiet"],
        ["--until", "2013-03-08"],
        ["--retrains", "0"],
        ["--direct"],
        ["--tables", "x"],
        ["--assembly", "x"],
    ],
)
def test_what_says_how_an_example_is_played_is_refused_beside_a_table_of_one_s_own(given: list[str]) -> None:
    args = parser().parse_args(["--data", "mine.csv", "--target", "y", "--time", "t", *given])
    with pytest.raises(Unusable, match=f"got --data with {given[0]}"):
        stage(args, QUIET)


@pytest.mark.parametrize(
    ("namespace", "name", "silent"),
    [("Tideline", "LossEvidence", True), ("AWS/SQS", "NumberOfMessages", False)],
)
def test_an_alarm_without_a_datapoint_is_silent_unless_it_watches_an_idle_queue(
    monkeypatch: pytest.MonkeyPatch, namespace: str, name: str, silent: bool
) -> None:
    wanted = {"namespace": namespace, "name": name, "dimensions": {}}
    found = {"alarm": "tideline-dev-loss", "datapoints": 0, "wanted": wanted, "nearest": []}
    monkeypatch.setattr("rehearsal.engine.alarms.diagnose", lambda _: [found])
    outcome: Any = SimpleNamespace(deployment=SimpleNamespace(account=None))
    said = [f"tideline-dev-loss saw no datapoint of {namespace}/{name} {{}}; published: nothing of that name"]
    assert silent_alarms(outcome) == (said if silent else [])


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 days"), (1, "1 day"), (1.2, "1 day"), (12345, "12,345 days")]
)
def test_one_thing_is_said_in_the_singular(number: float, said: str) -> None:
    assert counted(number, "day") == said
