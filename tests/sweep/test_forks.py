"""Trying things in forks: what they answer, what they break, and when they are ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rehearsal.sweep.forks import forked


def test_each_fork_answers_for_its_own_item_and_breaks_nothing_here() -> None:
    kept: list[int] = []

    def work(item: int) -> int:
        kept.append(item)
        return item * item

    assert sorted(forked([1, 2, 3], work, at_once=2, limit_seconds=30)) == [(1, 1), (2, 4), (3, 9)]
    assert kept == []


def test_a_fork_that_raises_answers_with_its_error() -> None:
    def work(item: str) -> Any:
        raise KeyError(item)

    [(item, answer)] = forked(["a"], work, at_once=1, limit_seconds=30)
    assert (item, answer["error"]) == ("a", "KeyError: 'a'")


def test_a_fork_that_takes_too_long_may_tidy_up_and_is_ended(tmp_path: Path) -> None:
    def work(item: str) -> Any:
        try:
            while True:
                time.sleep(0.01)
        finally:
            (tmp_path / item).touch()

    [(_, answer)] = forked(["a"], work, at_once=1, limit_seconds=0)
    assert answer == {"error": "it took longer than 0 s"}
    assert (tmp_path / "a").exists()
