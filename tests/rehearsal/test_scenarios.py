"""Scenarios as files: what is read, what is refused in one sentence, and what is done to a table."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.schema import ROOT, ConfigError
from rehearsal.scenarios.expected import Count
from rehearsal.scenarios.load import SEASONS, STANDARD, find
from rehearsal.scenarios.table_changes import dealt

DEV = ROOT / "config" / "dev.yaml"
DAYS = [f"2013-03-{day:02d}" for day in range(1, 29)]
SOUND: dict[str, Any] = {
    "title": "Mine",
    "table": {"folder": "mine", "history": ["2013-02.csv.gz"]},
    "start": date(2013, 3, 1),
    "end": date(2013, 3, 29),
    "expect": {"retrains": 0},
}


def write_months(folder: Path) -> None:
    """28 days of February and of March; `late` alternates, `temp` is the day."""
    folder.mkdir()
    for month in ("2013-02", "2013-03"):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["event_time", "temp", "late"])
        for day in range(1, 29):
            for number in range(10):
                writer.writerow([f"{month}-{day:02d}T{number:02d}:00:00Z", day, number % 2])
        (folder / f"{month}.csv.gz").write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A person's own scenario beside their table."""
    write_months(tmp_path / "mine")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SOUND))
    return path


def changed(path: Path, **changes: Any) -> str:
    path.write_text(yaml.safe_dump({**SOUND, **changes}))
    return str(path)


def with_table(path: Path, **changes: Any) -> str:
    return changed(path, table={**SOUND["table"], **changes})


def march(path: Path, name: str) -> list[dict[str, str]]:
    tables = find(name).scenario(path.parent / "scratch").tables
    with gzip.open(tables / "2013-03.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", sorted(path.stem for path in SEASONS.glob("*.yaml")))
def test_every_scenario_in_the_box_is_sound(name: str) -> None:
    loaded = find(name)
    loaded.config(DEV)
    assert loaded.folder.is_dir()
    assert loaded.file.expect.retrains != Count() or loaded.file.later


def test_the_standard_season_is_the_one_that_judges_grants_and_it_is_played_on_the_table_as_it_is(
    tmp_path: Path,
) -> None:
    standard = find(STANDARD).scenario(tmp_path)
    assert (standard.judges_grants, standard.tables) == (True, ROOT / "examples" / "flights")
    assert {push.end for push in standard.pushes} == {
        *("nothing-new", "refused-by-verify", "refused-by-gate", "rolled-back")
    }
    assert not find("quiet").scenario(tmp_path / "quiet").judges_grants


def test_a_scenario_of_ones_own_is_a_path_and_its_table_lies_beside_it(mine: Path, tmp_path: Path) -> None:
    scenario = find(str(mine)).scenario(tmp_path / "scratch")
    assert (scenario.name, scenario.tables) == ("mine", mine.parent / "mine")
    assert scenario.start == datetime(2013, 3, 1, tzinfo=UTC)
    assert scenario.expected.retrains.at_most == 0


def test_an_unknown_name_is_told_with_the_names_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"SCENARIO: got 'nope'; allowed: bad-release, .*, sudden-shift, or"
    ):
        find("nope")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"retrain": 1}, "retrain: unknown key; see rehearsal/scenarios/load.py"),
        ({"end": date(2013, 2, 1)}, "allowed: later than start"),
        ({"expect": {"retrains": "many"}}, "expect.retrains: got 'many'; a number, or a mapping of at_least"),
        ({"expect": {"retrains": {"at_least": 2, "at_most": 1}}}, "at_most must be 2"),
        ({"table": {"folder": "mine", "history": ["2012-01.csv.gz"]}}, "allowed: a file of"),
        ({"faults": [{"what": "bad-luck", "job": "Train"}]}, "should be 'no-capacity', 'quota', 'spot-int"),
        ({"config": {"gate": {"margin": 7}}}, "gate.margin: got 7; should be less than 1"),
        (
            {"pushes": [{"at": date(2014, 1, 1), "message": "late", "ends": "released"}]},
            "allowed: between start and end",
        ),
        (
            {"pushes": [{"at": date(2013, 3, 2), "message": "m", "ends": "released", "changes": {"a": {}}}]},
            "exactly one of text, append, copy_of, restore, remove; given: none",
        ),
    ],
    ids=["key", "end", "count", "order", "history", "fault", "config", "push", "change"],
)
def test_a_mistake_is_told_with_the_file_the_key_and_what_is_allowed(
    mine: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        find(changed(mine, **changes)).config(DEV)
    assert told in str(refused.value)
    assert str(mine) in str(refused.value)


def test_a_change_of_a_column_that_is_not_there_is_told(mine: Path) -> None:
    name = with_table(mine, changes=[{"from": date(2013, 3, 5), "column": "tmp", "add": 1}])
    with pytest.raises(ConfigError, match="column 'tmp': not in the table, which has event_time, temp, late"):
        find(name).scenario(mine.parent / "scratch")


@pytest.mark.parametrize(
    ("deed", "before", "after"),
    [
        ({"add": 0.5}, "4", "5.5"),
        ({"multiply": 1000}, "4", "5000"),
        ({"replace": "???"}, "4", "???"),
        ({"replace": ""}, "4", ""),
    ],
    ids=["add", "multiply", "garbage", "missing"],
)
def test_a_column_is_changed_from_its_day_on(
    mine: Path, deed: dict[str, Any], before: str, after: str
) -> None:
    changes = [{"from": date(2013, 3, 5), "until": date(2013, 3, 6), "column": "temp", **deed}]
    rows = march(mine, with_table(mine, changes=changes))
    by_day = {day: {row["temp"] for row in rows if row["event_time"].startswith(day)} for day in DAYS[:6]}
    assert (by_day["2013-03-04"], by_day["2013-03-05"], by_day["2013-03-06"]) == ({before}, {after}, {"6"})


def test_labels_are_swapped_for_a_share_that_grows(mine: Path) -> None:
    change = {"from": date(2013, 3, 1), "column": "late", "swap": True, "share": 0.8, "over_days": 20}
    rows = march(mine, with_table(mine, changes=[change]))
    swapped = [row["late"] != str(int(row["event_time"][11:13]) % 2) for row in rows]
    first, last = sum(swapped[:90]), sum(swapped[-80:])
    assert 0 < first < 35
    assert 50 < last < 75


def test_a_thinned_table_keeps_every_nth_row_of_each_file(mine: Path) -> None:
    rows = march(mine, with_table(mine, keep_every=5))
    assert len(rows) == 2 * len(DAYS)
    assert rows[0]["event_time"] == "2013-03-01T00:00:00Z"


def test_shuffled_days_keep_their_weekday_and_lose_no_row(mine: Path) -> None:
    given = dealt(DAYS, seed=1)
    assert sorted(given.values()) == DAYS
    assert given != dict(zip(DAYS, DAYS, strict=True))
    assert all(date.fromisoformat(a).weekday() == date.fromisoformat(b).weekday() for a, b in given.items())
    rows = march(mine, with_table(mine, shuffle_days=True, seed=1))
    assert len(rows) == 10 * len(DAYS)
    assert [row["event_time"][:10] for row in rows] == sorted(row["event_time"][:10] for row in rows)
    assert {row["temp"] for row in rows if row["event_time"].startswith("2013-03-01")} != {"1"}


def test_the_same_seed_writes_the_same_bytes(mine: Path) -> None:
    change = {"from": date(2013, 3, 1), "column": "late", "swap": True, "share": 0.5}
    loaded = find(with_table(mine, shuffle_days=True, changes=[change]))
    one, two = (loaded.scenario(mine.parent / name).tables / "2013-03.csv.gz" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_pushes_may_append_copy_restore_and_remove(mine: Path) -> None:
    (mine.parent / "other.py").write_text("other = 1\n")
    changes = {
        "training/model.py": {"append": "more = 1\n"},
        "training/other.py": {"copy_of": "other.py"},
        "README.md": {"restore": True},
        "docs/glossary.md": {"remove": True},
        "docs/new.md": "new\n",
    }
    push = {"at": date(2013, 3, 2), "message": "all ways", "ends": "nothing-new", "changes": changes}
    [made] = find(changed(mine, pushes=[push])).pushes()
    model = (ROOT / "training" / "model.py").read_text()
    assert made.changes == {
        "training/model.py": f"{model}more = 1\n",
        "training/other.py": "other = 1\n",
        "README.md": (ROOT / "README.md").read_text(),
        "docs/glossary.md": None,
        "docs/new.md": "new\n",
    }


def test_the_configuration_is_the_environments_own_with_what_the_scenario_says(mine: Path) -> None:
    name = changed(mine, config={"gate": {"margin": 0.5}, "cooldown_days": 1})
    told = yaml.safe_load(find(name).config(DEV))
    base = yaml.safe_load(DEV.read_text())
    assert told == {**base, "gate": {"margin": 0.5}, "cooldown_days": 1}
