"""An account that is kept up: another process reaches it as an administrator, and what it asks for is carried out."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from config import kept_account
from rehearsal.scenarios import keep
from tests.engine.runtime_world import World, world

ASK = """
import boto3
answer = boto3.client("lambda").invoke(FunctionName="work", InvocationType="Event", Payload=b'{"by": "a person"}')
print(answer["StatusCode"], boto3.client("s3").list_buckets()["Buckets"])
"""


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "account") as made:
        yield made


def test_another_process_acts_in_the_account_until_it_is_stopped(
    alive: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive.function("def handler(event, context):\n    return event\n")
    printed, said = io.StringIO(), []

    def person(_seconds: float) -> None:
        """Instead of waiting: once there is an account to reach somebody does, then presses Ctrl-C."""
        if said:
            raise KeyboardInterrupt
        variables = kept_account.read(tmp_path)
        assert variables is not None
        command = [sys.executable, "-c", ASK]
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
        said.append(done.stdout.strip() or done.stderr)

    monkeypatch.setattr(keep.time, "sleep", person)
    keep.keep_up(alive.account, tmp_path, Console(file=printed))

    assert said == ["202 []"]
    assert [facts["event"] for facts in alive.facts("invocation")] == [{"by": "a person"}]
    assert f"export AWS_ENDPOINT_URL={alive.account.endpoint_url}" in printed.getvalue()
    assert kept_account.read(tmp_path) is None
