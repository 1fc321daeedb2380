"""SQS to Lambda: batches, partial failures, retries and dead letters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.account import Unsupported
from tests.engine.runtime_world import START, World, world

FAIL_BAD = """
    import json
    def handler(event, context):
        bad = [r["messageId"] for r in event["Records"] if json.loads(r["body"]).get("bad")]
        return {"batchItemFailures": [{"itemIdentifier": i} for i in bad]}
"""
RAISE = "def handler(event, context): raise ValueError('no')"
COUNT = "def handler(event, context): return len(event['Records'])"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def connect(aws: World, queue_arn: str, **mapping: Any) -> str:
    client = aws.account.client("lambda")
    created = client.create_event_source_mapping(FunctionName="work", EventSourceArn=queue_arn, **mapping)
    return str(created["UUID"])


def send(aws: World, url: str, *bodies: Any) -> None:
    for body in bodies:
        aws.account.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))


def with_dead_letters(aws: World, tries: int) -> tuple[str, str, str]:
    dead_url, dead_arn = aws.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": tries})
    return *aws.queue("in", RedrivePolicy=redrive), dead_url


def test_a_message_is_handed_over_as_lambda_does_and_then_deleted(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function("def handler(event, context): return event")
    connect(aws, arn)
    attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
    aws.account.client("sqs").send_message(QueueUrl=url, MessageBody='{"a": 1}', MessageAttributes=attributes)
    assert aws.facts("invocation") == []  # moto itself triggers nothing
    aws.account.pump()
    [record] = aws.facts("invocation")[0]["event"]["Records"]
    assert record["body"] == '{"a": 1}'
    assert record["md5OfBody"] == hashlib.md5(b'{"a": 1}').hexdigest()
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == arn
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"] == str(int(START.timestamp() * 1000))
    assert record["messageAttributes"]["kind"]["stringValue"] == "x"
    aws.live(hours=1)
    assert len(aws.facts("invocation")) == 1


def test_a_batch_holds_at_most_batch_size_messages(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function(COUNT)
    connect(aws, arn, BatchSize=2)
    send(aws, url, {}, {}, {}, {}, {})
    aws.account.pump()
    assert [entry["result"] for entry in aws.facts("invocation")] == [2, 2, 1]


def test_a_failing_batch_is_retried_until_the_redrive_policy_dead_letters_it(aws: World) -> None:
    url, arn, dead_url = with_dead_letters(aws, tries=3)
    aws.function(RAISE)
    connect(aws, arn)
    send(aws, url, {"a": 1})
    aws.account.pump()
    counts = [
        entry["event"]["Records"][0]["attributes"]["ApproximateReceiveCount"]
        for entry in aws.facts("invocation")
    ]
    assert counts == ["1", "2", "3"]
    [letter] = aws.facts("dead-letter")
    assert (letter["queue"], letter["function"]) == ("dead", "work")
    assert aws.bodies(dead_url) == [{"a": 1}]


def test_only_the_reported_items_of_a_batch_are_retried(aws: World) -> None:
    url, arn, dead_url = with_dead_letters(aws, tries=2)
    aws.function(FAIL_BAD)
    connect(aws, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    send(aws, url, {"n": 1}, {"n": 2, "bad": True}, {"n": 3})
    aws.account.pump()
    batches = [entry["event"]["Records"] for entry in aws.facts("invocation")]
    numbers = [[json.loads(record["body"])["n"] for record in records] for records in batches]
    assert numbers == [[1, 2, 3], [2]]
    assert aws.bodies(dead_url) == [{"n": 2, "bad": True}]


def test_without_the_response_type_a_report_of_failures_is_ignored(aws: World) -> None:
    url, arn, dead_url = with_dead_letters(aws, tries=2)
    aws.function(FAIL_BAD)
    connect(aws, arn)
    send(aws, url, {"bad": True})
    aws.account.pump()
    assert len(aws.facts("invocation")) == 1
    assert aws.bodies(dead_url) == []


def test_a_report_that_names_no_message_of_the_batch_fails_the_whole_batch(aws: World) -> None:
    url, arn, dead_url = with_dead_letters(aws, tries=1)
    aws.function("def handler(event, context): return {'batchItemFailures': [{'itemIdentifier': 'x'}]}")
    connect(aws, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    send(aws, url, {"n": 1})
    aws.account.pump()
    assert aws.bodies(dead_url) == [{"n": 1}]


def test_without_a_redrive_policy_a_failed_message_comes_back_after_its_visibility_timeout(
    aws: World,
) -> None:
    url, arn = aws.queue("in", VisibilityTimeout="120")
    aws.function(RAISE)
    connect(aws, arn)
    send(aws, url, {})
    aws.account.pump()
    assert len(aws.facts("invocation")) == 1
    aws.live(seconds=119)
    assert len(aws.facts("invocation")) == 1
    aws.live(seconds=1)
    assert len(aws.facts("invocation")) == 2


@pytest.mark.parametrize("missing", ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
def test_the_role_of_the_function_must_be_allowed_to_poll(aws: World, missing: str) -> None:
    url, arn = aws.queue("in")
    granted = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} - {missing}
    statement = {"Effect": "Allow", "Action": sorted(granted), "Resource": arn}
    aws.function(COUNT, role=aws.role("poor", statements=(statement,)))
    connect(aws, arn)
    send(aws, url, {})
    aws.account.pump()
    assert aws.facts("invocation") == []
    [delivery] = aws.facts("delivery")
    assert delivery["ok"] is False
    assert f"is not authorized to perform: {missing} on resource: {arn}" in delivery["error"]


def test_a_disabled_mapping_leaves_the_messages_until_it_is_enabled(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function(COUNT)
    uuid = connect(aws, arn, Enabled=False)
    send(aws, url, {})
    aws.live(minutes=10)
    assert aws.facts("invocation") == []
    aws.account.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    aws.live(minutes=1)
    assert len(aws.facts("invocation")) == 1


def test_a_mapping_finds_the_messages_that_were_there_before_it(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function(COUNT)
    send(aws, url, {})
    connect(aws, arn)
    aws.account.pump()
    assert len(aws.facts("invocation")) == 1


def test_a_delayed_message_arrives_when_its_time_has_come(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function(COUNT)
    connect(aws, arn)
    aws.account.client("sqs").send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=300)
    aws.live(seconds=299)
    assert aws.facts("invocation") == []
    aws.live(seconds=1)
    assert len(aws.facts("invocation")) == 1


def test_visibility_timeouts_follow_the_virtual_clock(aws: World) -> None:
    url, _ = aws.queue("in", VisibilityTimeout="60")
    send(aws, url, {"a": 1})
    assert aws.bodies(url) == [{"a": 1}]
    assert aws.bodies(url) == []
    aws.live(seconds=60)
    assert aws.bodies(url) == [{"a": 1}]


def test_a_filter_on_a_mapping_stops_the_run_by_name(aws: World) -> None:
    url, arn = aws.queue("in")
    aws.function(COUNT)
    connect(aws, arn, FilterCriteria={"Filters": [{"Pattern": "{}"}]})
    send(aws, url, {})
    with pytest.raises(Unsupported, match="FilterCriteria"):
        aws.account.pump()
