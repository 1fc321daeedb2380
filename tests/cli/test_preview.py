"""`./tideline preview`: the page of the last rehearsal, pictures where a browser is, a clear word where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import __main__ as cli
from cli import preview
from cli.source import CommandError


@pytest.fixture
def rehearsal(tmp_path: Path) -> Path:
    (tmp_path / preview.PAGE).write_text('<body data-height="4000">')
    return tmp_path


def browser(directory: Path, does: str) -> str:
    path = directory / "browser"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_rehearsal_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="make rehearse"):
        preview.find_page(tmp_path)


def test_each_picture_is_as_wide_as_asked_and_as_high_as_the_page(rehearsal: Path) -> None:
    writes_its_arguments = (
        'for a in "$@"; do case $a in --screenshot=*) echo "$@" > "${a#--screenshot=}";; esac; done'
    )
    made = preview.pictures(rehearsal / preview.PAGE, browser(rehearsal, writes_its_arguments))
    assert [path.name for path in made] == ["dashboard-1280.png", "dashboard-1920.png"]
    assert "--window-size=1920,4000" in made[1].read_text()


def test_a_browser_that_fails_is_quoted(rehearsal: Path) -> None:
    with pytest.raises(CommandError, match="no display"):
        preview.pictures(rehearsal / preview.PAGE, browser(rehearsal, "echo no display >&2; exit 1"))


def test_without_a_browser_the_page_is_named_and_nothing_fails(
    rehearsal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preview, "find_browser", lambda: None)
    assert cli.main(["--rehearsal", str(rehearsal), "preview"]) == 0
    told = capsys.readouterr().out
    assert str(rehearsal / preview.PAGE) in told
    assert "no pictures" in told
