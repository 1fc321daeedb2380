"""What `make rehearse` is asked for and cannot do is one sentence, before anything starts."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from domain.counted import counted
from rehearsal.__main__ import main, parser, stage
from rehearsal.scenarios import coverage
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


def silent(
    monkeypatch: pytest.MonkeyPatch, *, is_part: bool, labelled: list[float], nearest: list[Any]
) -> list[str]:
    wanted = {"namespace": "Tideline", "name": "LossRatio", "dimensions": {}}
    found = {"alarm": "tideline-dev-loss", "datapoints": 0, "wanted": wanted, "nearest": nearest}
    monkeypatch.setattr(coverage.alarms, "diagnose", lambda _: [found])
    points = {"Datapoints": [{"Maximum": one} for one in labelled]}
    cloudwatch = SimpleNamespace(get_metric_statistics=lambda **_: points)
    clock = SimpleNamespace(now=lambda: datetime(2013, 3, 2, tzinfo=UTC))
    deployment = SimpleNamespace(
        account=SimpleNamespace(client=lambda _: cloudwatch, clock=clock),
        names=SimpleNamespace(deployment="tideline-dev"),
        config=SimpleNamespace(monitoring=SimpleNamespace(min_rows=300)),
    )
    scenario = SimpleNamespace(is_part=is_part, start=datetime(2013, 3, 1, tzinfo=UTC))
    outcome: Any = SimpleNamespace(deployment=deployment, scenario=scenario)
    return coverage.silent_alarms(outcome)


def test_a_part_of_a_season_without_enough_labelled_rows_need_not_show_a_loss_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert silent(monkeypatch, is_part=True, labelled=[0.0, 299.0], nearest=[]) == []


@pytest.mark.parametrize(
    ("is_part", "labelled", "nearest"),
    [
        (False, [0.0, 299.0], []),
        (True, [0.0, 300.0], []),
        (True, [], []),
        (True, [299.0], [{"namespace": "Tideline", "name": "LossRatio", "dimensions": {"Deploymnt": "x"}}]),
    ],
    ids=["a whole season", "enough rows", "no check at all", "another dimension"],
)
def test_an_alarm_that_could_have_seen_its_metric_and_did_not_is_silent(
    monkeypatch: pytest.MonkeyPatch, is_part: bool, labelled: list[float], nearest: list[Any]
) -> None:
    [said] = silent(monkeypatch, is_part=is_part, labelled=labelled, nearest=nearest)
    assert said.startswith("tideline-dev-loss saw no datapoint of Tideline/LossRatio")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 days"), (1, "1 day"), (1.2, "1 day"), (12345, "12,345 days")]
)
def test_one_thing_is_said_in_the_singular(number: float, said: str) -> None:
    assert counted(number, "day") == said
