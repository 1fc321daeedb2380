"""What a log query of a dashboard finds: fields of JSON lines, equality, counts, order, a limit; no guesses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rehearsal.engine import log_queries
from rehearsal.engine.account import Unsupported
from tests.engine.runtime_world import START, World, world

SOURCES = "SOURCE '/own/one' | SOURCE '/own/two' | "
LINES = {
    "/own/one": [
        {"message": "decided", "kind": "gate", "why": "a | b"},
        {"message": "other", "kind": "gate"},
    ],
    "/own/two": [{"message": "decided", "kind": "release"}, {"message": "decided", "kind": "gate"}],
}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        logs = it.account.client("logs")
        for hour, (group, lines) in enumerate(LINES.items()):
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="own")
            at = int((START + timedelta(hours=hour)).timestamp() * 1000)
            events = [{"timestamp": at, "message": json.dumps(line)} for line in lines]
            events.append({"timestamp": at, "message": "START no JSON"})
            logs.put_log_events(logGroupName=group, logStreamName="own", logEvents=events)
        yield it


def found(aws: World, commands: str, *, hours: int = 0) -> list[tuple[object, ...]]:
    table = log_queries.run(aws.account, SOURCES + commands, since=START + timedelta(hours=hours))
    return [tuple(row.get(column) for column in table.columns) for row in table.rows]


def test_a_filter_keeps_the_lines_of_every_group_whose_field_is_equal(aws: World) -> None:
    asked = 'fields kind, why\n| filter message = "decided"\n| filter kind = "gate"'
    assert found(aws, asked) == [("gate", "a | b"), ("gate", None)]


def test_what_is_older_than_the_dashboard_s_start_is_not_found(aws: World) -> None:
    assert found(aws, 'fields kind | filter message = "decided"', hours=1) == [("release",), ("gate",)]


def test_counts_are_by_each_combination_and_can_be_sorted(aws: World) -> None:
    asked = "stats count(*) as times by message, kind | sort times desc | limit 2"
    assert found(aws, asked)[0] == ("decided", "gate", 2)
    assert len(found(aws, asked)) == 2


def test_the_latest_come_first_with_the_time_of_their_event(aws: World) -> None:
    asked = 'fields @timestamp, kind | filter message = "decided" | sort @timestamp desc | limit 1'
    assert found(aws, asked) == [(f"{START + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}", "release")]


@pytest.mark.parametrize(
    "command", ["filter kind like /gate/", "parse @message 'x'", "stats avg(x) by y", "limit"]
)
def test_a_command_that_is_not_built_is_refused_by_name(aws: World, command: str) -> None:
    with pytest.raises(Unsupported, match="log query's command"):
        found(aws, command)
