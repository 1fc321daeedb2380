"""Schedules on the virtual clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rehearsal.engine.expressions import next_fire
from tests.engine.runtime_world import START, World, world


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def scheduled(aws: World, name: str, expression: str, **properties: str) -> str:
    _, arn = aws.queue(f"{name}-queue")
    return aws.rule(name, arn, ScheduleExpression=expression, **properties)


def fired(aws: World) -> list[tuple[str, str]]:
    entries = aws.account.journal.of("event")
    return [
        (f"{entry.time:%d %H:%M:%S}", entry.facts["resources"][0].rsplit("/", 1)[-1]) for entry in entries
    ]


def test_a_rate_counts_from_the_creation_of_its_rule(aws: World) -> None:
    aws.live(minutes=7, seconds=30)
    scheduled(aws, "hourly", "rate(1 hour)")
    aws.live(hours=2, minutes=30)
    assert fired(aws) == [("05 10:07:30", "hourly"), ("05 11:07:30", "hourly")]


def test_a_scheduled_event_has_the_form_that_eventbridge_sends(aws: World) -> None:
    arn = aws.function("def handler(event, context): return event")
    rule_arn = aws.rule("hourly", arn, ScheduleExpression="rate(1 hour)")
    aws.permit("work", rule_arn)
    aws.live(hours=1)
    [invocation] = aws.facts("invocation")
    event = invocation["event"]
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert event["resources"] == [rule_arn]
    assert event["time"] == "2026-01-05T10:00:00Z"


def test_schedules_fire_in_order_of_time_and_only_to_their_own_targets(aws: World) -> None:
    scheduled(aws, "later", "cron(30 9 * * ? *)")
    scheduled(aws, "sooner", "rate(20 minutes)")
    aws.live(minutes=45)
    assert fired(aws) == [("05 09:20:00", "sooner"), ("05 09:30:00", "later"), ("05 09:40:00", "sooner")]
    assert [delivery["rule"] for delivery in aws.facts("delivery")] == ["sooner", "later", "sooner"]


def test_a_disabled_schedule_does_not_fire_and_does_not_catch_up(aws: World) -> None:
    scheduled(aws, "hourly", "rate(1 hour)", State="DISABLED")
    aws.live(hours=3)
    aws.account.client("events").enable_rule(Name="hourly")
    aws.live(minutes=30)
    assert fired(aws) == []
    aws.live(minutes=30)
    assert fired(aws) == [("05 13:00:00", "hourly")]


def test_a_time_that_passed_while_a_job_moved_the_clock_fires_late_and_once(aws: World) -> None:
    scheduled(aws, "hourly", "rate(1 hour)")
    aws.account.defer("a job", lambda: aws.account.clock.advance(timedelta(hours=3, minutes=10)))
    aws.live(minutes=1)
    assert fired(aws) == [("05 12:10:00", "hourly")]
    aws.live(hours=1)
    assert fired(aws)[1:] == [("05 13:00:00", "hourly")]


def test_an_updated_schedule_counts_anew_and_an_unchanged_one_does_not(aws: World) -> None:
    scheduled(aws, "timed", "rate(1 hour)")
    aws.live(minutes=30)
    client = aws.account.client("events")
    client.put_rule(Name="timed", ScheduleExpression="rate(1 hour)", Description="the same")
    aws.live(minutes=30)
    assert fired(aws) == [("05 10:00:00", "timed")]
    aws.live(minutes=30)
    client.put_rule(Name="timed", ScheduleExpression="rate(2 hours)")
    aws.live(hours=2)
    assert fired(aws)[1:] == [("05 12:30:00", "timed")]


def test_hooks_run_before_alarms_look(aws: World) -> None:
    seen: list[datetime] = []
    aws.account.on_advance.append(lambda: seen.append(aws.account.clock.now()))
    scheduled(aws, "hourly", "rate(1 hour)")
    aws.live(hours=1, minutes=15)
    assert seen == [START, START + timedelta(hours=1), START + timedelta(hours=1, minutes=15)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(5 minutes)", "2026-01-30T12:05"),
        ("rate(1 day)", "2026-01-31T12:00"),
        ("cron(0 * * * ? *)", "2026-01-30T13:00"),
        ("cron(0/15 * * * ? *)", "2026-01-30T12:15"),
        ("cron(0 12 * * ? *)", "2026-01-31T12:00"),
        ("cron(5 6 ? * MON-FRI *)", "2026-02-02T06:05"),
        ("cron(0 9 ? * 2,4 *)", "2026-02-02T09:00"),  # 1 is Sunday
        ("cron(0 0 1 * ? *)", "2026-02-01T00:00"),
        ("cron(0 0 L * ? *)", "2026-01-31T00:00"),
        ("cron(0 0 31W * ? *)", "2026-03-31T00:00"),
        ("cron(0 0 LW * ? *)", "2026-02-27T00:00"),
        ("cron(0 0 ? * 6L *)", "2026-02-27T00:00"),
        ("cron(0 0 ? * TUE#1 *)", "2026-02-03T00:00"),
        ("cron(0 0 29 FEB ? *)", "2028-02-29T00:00"),
        ("cron(30 23 ? 3 SAT 2027)", "2027-03-06T23:30"),
        ("cron(0 0 1 1 ? 2020)", None),
    ],
)
def test_the_next_time_of_an_expression(expression: str, expected: str | None) -> None:
    now = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)  # a Friday
    fire = next_fire(expression, created=now, after=now)
    assert (fire and f"{fire:%Y-%m-%dT%H:%M}") == expected


@pytest.mark.parametrize(
    "expression", ["cron(0 0 1 * 1 *)", "cron(0 25 * * ? *)", "cron(0 * * ? *)", "at(2026-01-01)"]
)
def test_an_expression_that_aws_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"cron|rate"):
        next_fire(expression, created=START, after=START)
