"""What AWS would do by itself: each thing that it could not do is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal.engine import Account
from rehearsal.scenarios import unseen
from rehearsal.scenarios.unseen import check_unseen

VERSION = "2012-10-17"
RULE = "arn:aws:events:us-east-1:123456789012:rule/ours-rule"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path) as made:
        yield made


def policy(service: str, action: str, condition: dict[str, Any]) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": "*",
        "Condition": condition,
    }
    return json.dumps({"Version": VERSION, "Statement": [statement]})


def red(account: Account) -> dict[str, str]:
    deployment: Any = SimpleNamespace(account=account, config=SimpleNamespace(name="ours"))
    found = check_unseen(SimpleNamespace(deployment=deployment))  # type: ignore[arg-type]
    return {one.expectation: one.where for one in found if not one.held}


def target(account: Account, dead_letters: dict[str, Any]) -> None:
    events = account.client("events")
    events.put_rule(Name="ours-rule", ScheduleExpression="rate(1 day)")
    arn = "arn:aws:sqs:us-east-1:123456789012:ours-work"
    events.put_targets(Rule="ours-rule", Targets=[{"Id": "it", "Arn": arn, **dead_letters}])


DEAD = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:ours-dead"}}


def test_dead_letters_that_do_not_let_the_rule_in_are_named(account: Account) -> None:
    account.client("sqs").create_queue(QueueName="ours-dead")
    target(account, DEAD)
    assert "sqs:SendMessage on resource" in red(account)["what is lost would lie in dead letters"]


def test_dead_letters_that_let_the_rule_in_are_well(account: Account) -> None:
    letting = policy("events.amazonaws.com", "sqs:SendMessage", {"ArnEquals": {"aws:SourceArn": RULE}})
    account.client("sqs").create_queue(QueueName="ours-dead", Attributes={"Policy": letting})
    target(account, DEAD)
    assert red(account) == {}


def test_a_target_without_dead_letters_is_named(account: Account) -> None:
    target(account, {})
    assert "ours-rule has a target without" in red(account)["what is lost would lie in dead letters"]


@pytest.mark.parametrize(
    ("source", "said"),
    [("arn:aws:s3:::ours-data", ""), ("arn:aws:s3:::*", "may write"), ("arn:aws:s3:::else", "may not write")],
)
def test_an_access_log_that_cannot_be_written_or_that_a_neighbour_can_write_is_named(
    account: Account, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    for name in ("ours-data", "ours-logs"):
        account.client("s3").create_bucket(Bucket=name)
    monkeypatch.setattr(
        unseen, "_logged_buckets", lambda *_: [("ours-data", "arn:aws:s3:::ours-logs/data/log")]
    )
    condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": "123456789012"}}
    account.client("s3").put_bucket_policy(
        Bucket="ours-logs", Policy=policy("logging.s3.amazonaws.com", "s3:PutObject", condition)
    )
    assert said in red(account).get("every bucket's access log would be written", "")
    assert bool(red(account)) == bool(said)
