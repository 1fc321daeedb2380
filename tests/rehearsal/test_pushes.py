"""How a push ended, as the rehearsal tells it, and a person's changes in a clone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal.engine import Account
from rehearsal.scenarios.pushes import Push, Pushed, is_told
from rehearsal.scenarios.workplace import Workplace

AT = datetime(2013, 4, 1, tzinfo=UTC)


def pushed(*, status: str = "SUCCEEDED", rule: str = "", **stages: str) -> Pushed:
    return Pushed(
        push=Push(AT, "a change", "released"),
        commit="0123abcd",
        status=status,
        stages=stages,
        reasons={},
        not_run=(),
        answer={"rule": rule} if rule else None,
    )


@pytest.mark.parametrize(
    ("how", "end"),
    [
        (pushed(rule="live", Wait="Succeeded"), "released"),
        (pushed(rule="no-model", status="FAILED", Wait="Failed"), "refused-by-gate"),
        (pushed(rule="not-live", status="FAILED", Wait="Failed"), "rolled-back"),
        (pushed(rule="no-run", status="FAILED", Wait="Failed"), "answered by the rule no-run"),
        (pushed(status="FAILED", Source="Succeeded", Verify="Failed"), "refused-by-verify"),
        (pushed(status="FAILED", Verify="Succeeded", Deploy="Failed"), "failed in ['Deploy']"),
        (pushed(status="FAILED", Verify="Failed", Deploy="Failed"), "failed in ['Verify', 'Deploy']"),
        (pushed(Verify="Succeeded", Wait="Skipped"), "nothing-new"),
        (pushed(status="SUPERSEDED", Verify="Succeeded"), "SUPERSEDED"),
        (pushed(status="WAITING", Verify="Succeeded"), "WAITING"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_push_ends_as_its_approval_was_answered_or_else_as_its_stages_did(how: Pushed, end: str) -> None:
    assert how.end == end


SENTENCE = (
    "A push failed in tideline-delivery. What failed, and why: https://console.aws.amazon.com/pipelines/"
    "tideline-delivery/executions/e-1/timeline?region=us-east-1 What to do: docs/runbooks/delivery.md"
)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (SENTENCE, True),
        (SENTENCE.replace("e-1", ""), False),
        (SENTENCE.replace("e-1", "e-2"), False),
        (SENTENCE.partition("What to do")[0], False),
        ('{"detail": {"execution-id": "e-1", "state": "FAILED"}}', False),
    ],
    ids=["a sentence", "which execution", "another execution", "what to do", "the event"],
)
def test_people_are_told_of_a_push_only_by_a_sentence_that_sends_them_to_it(message: str, told: bool) -> None:
    assert is_told(message, "e-1") == told


def test_a_change_writes_whole_files_and_takes_away_those_without_text(tmp_path: Path) -> None:
    workplace = Workplace(cast(Account, None), tmp_path)
    workplace.change({"training/slow.py": "x = 1\n", "training/model.py": "y = 2\n"})
    workplace.change({"training/slow.py": None, "training/model.py": "y = 3\n"})
    left: dict[str, Any] = {
        path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.py")
    }
    assert left == {"training/model.py": "y = 3\n"}
