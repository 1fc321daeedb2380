"""What a month would cost, of this tree and of another commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.estimate import of_commit
from cli.source import CommandError
from domain.names import WITHOUT_WHEELS

AS = ("-c", "user.name=a", "-c", "user.email=a@example.com")


def repository(directory: Path, program: str) -> Path:
    """A commit whose `cli` is this program."""
    (directory / "cli").mkdir()
    (directory / "cli" / "__main__.py").write_text(program)
    for command in (["init", "-q"], ["add", "-A"], [*AS, "commit", "-qm", "then"]):
        subprocess.run(["git", *command], cwd=directory, check=True)
    (directory / "cli" / "__main__.py").write_text("raise SystemExit('the tree of today was asked')")
    return directory


def test_another_commit_is_asked_with_its_own_code(tmp_path: Path) -> None:
    line = '{"what": "endpoint", "idle_usd": 1.0, "load_usd": 2.0, "how": ""}'
    program = f"import sys\nassert sys.argv[1:] == ['--json', 'estimate']\nprint('[{line}]')\n"
    [found] = of_commit("HEAD", ["--json", "estimate"], repository(tmp_path, program))
    assert (found.what, found.load_usd) == ("endpoint", 2.0)


def test_no_wheels_are_asked_for_since_they_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WITHOUT_WHEELS)
    program = f"import os\nassert os.environ['{WITHOUT_WHEELS}']\nprint('[]')\n"
    assert of_commit("HEAD", ["--json", "estimate"], repository(tmp_path, program)) == []


def test_a_commit_from_before_this_command_says_so_in_a_sentence(tmp_path: Path) -> None:
    root = repository(tmp_path, "import sys\nsys.exit('usage:\\ninvalid choice: estimate')")
    with pytest.raises(CommandError, match=r"^HEAD cannot estimate itself: invalid choice: estimate$"):
        of_commit("HEAD", ["estimate"], root)


def test_a_commit_that_there_is_not_is_an_error_of_git(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="git archive failed"):
        of_commit("nonsense", ["estimate"], repository(tmp_path, ""))
