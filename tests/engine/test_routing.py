"""Amazon EventBridge: which event reaches which target, and what becomes of one that cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.account import Unsupported
from rehearsal.engine.event_input import at_path, target_input
from rehearsal.engine.job_faults import Fault, Faults
from tests.engine.runtime_world import World, world

ECHO = "def handler(event, context): return event"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def send(aws: World, **detail: Any) -> None:
    aws.account.put_event("test", "Happened", detail)
    aws.account.pump()


def test_an_event_reaches_a_permitted_function_as_eventbridge_wraps_it(aws: World) -> None:
    arn = aws.function(ECHO)
    aws.permit("work", aws.rule("watch", arn))
    aws.account.put_event("test", "Happened", {"a": 1}, ["arn:x"])
    assert aws.facts("invocation") == []  # AWS delivers later
    aws.account.pump()
    [event] = aws.facts("event")
    [invocation] = aws.facts("invocation")
    assert invocation["event"] == {
        "version": "0",
        "id": event["id"],
        "detail-type": "Happened",
        "source": "test",
        "account": "123456789012",
        "time": "2026-01-05T09:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"a": 1},
    }
    assert aws.facts("delivery") == [{"rule": "watch", "target": arn, "event_id": event["id"], "ok": True}]


def throttled(aws: World, *, times: int, **policy: int) -> None:
    """A rule whose target throttles so often."""
    arn = aws.function(ECHO)
    rule_arn = aws.rule("watch", arn)
    aws.permit("work", rule_arn)
    _, dead_arn = aws.queue("dead", admits=rule_arn)
    target = {"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}, "RetryPolicy": policy}
    aws.rule("watch", arn, targets=[target])
    aws.account.faults = Faults(
        (Fault("throttling", arn.rsplit(":", 1)[-1], times=times),), aws.account.journal
    )
    send(aws, a=1)


def test_a_target_that_throttles_is_tried_again_until_it_takes_the_event(aws: World) -> None:
    throttled(aws, times=3, MaximumRetryAttempts=3)
    assert aws.facts("delivery") == []
    began = aws.account.clock.now()
    aws.account.advance_to(began + timedelta(seconds=6))
    assert aws.facts("delivery") == []
    aws.account.advance_to(began + timedelta(seconds=7))  # after 1, 2 and 4 seconds
    assert [one["ok"] for one in aws.facts("delivery")] == [True]
    assert len(aws.facts("invocation")) == 1


@pytest.mark.parametrize(
    ("policy", "retried"),
    [
        ({"MaximumRetryAttempts": 0}, 0),
        ({"MaximumRetryAttempts": 2}, 2),
        ({"MaximumEventAgeInSeconds": 60}, 5),
    ],
    ids=["no retry", "two retries", "a minute"],
)
def test_what_the_retry_policy_gives_up_is_a_dead_letter(
    aws: World, policy: dict[str, int], retried: int
) -> None:
    throttled(aws, times=1000, **policy)
    aws.account.advance_to(aws.account.clock.now() + timedelta(minutes=10))
    [delivery] = aws.facts("delivery")
    assert (delivery["ok"], delivery["error"]) == (
        False,
        f"ThrottlingException: Rate exceeded; retried {retried} times",
    )
    assert len(aws.facts("dead-letter")) == 1
    assert aws.facts("invocation") == []


def test_without_a_retry_policy_eventbridge_tries_185_times_within_a_day(aws: World) -> None:
    throttled(aws, times=1000)
    aws.account.advance_to(aws.account.clock.now() + timedelta(days=2))
    assert (
        "retried 17" in aws.facts("delivery")[0]["error"] or "retried 18" in aws.facts("delivery")[0]["error"]
    )


def test_a_rule_without_a_lambda_permission_is_refused_and_goes_to_the_dead_letters(aws: World) -> None:
    arn = aws.function(ECHO)
    rule_arn = aws.rule("watch", arn)
    url, dead_arn = aws.queue("dead", admits=rule_arn)
    aws.rule("watch", arn, targets=[{"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}}])
    send(aws, a=1)
    [delivery] = aws.facts("delivery")
    assert delivery["ok"] is False
    assert f"not authorized to perform: lambda:InvokeFunction on resource: {arn}" in delivery["error"]
    assert aws.facts("invocation") == []
    assert aws.facts("dead-letter") == [{"queue": "dead", "rule": "watch", "event_id": delivery["event_id"]}]
    assert [body["detail"] for body in aws.bodies(url)] == [{"a": 1}]


def test_a_permission_for_another_rule_does_not_count(aws: World) -> None:
    arn = aws.function(ECHO)
    aws.permit("work", aws.rule("watch", arn) + "-other")
    send(aws)
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [False]


def test_the_dead_letter_queue_must_admit_the_rule_too(aws: World) -> None:
    arn = aws.function(ECHO)
    url, dead_arn = aws.queue("dead")
    aws.rule("watch", arn, targets=[{"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}}])
    send(aws)
    [letter] = aws.facts("dead-letter")
    assert "not authorized to perform: sqs:SendMessage" in letter["error"]
    assert aws.bodies(url) == []


def test_a_queue_gets_the_event_only_if_its_policy_admits_this_rule(aws: World) -> None:
    rule_arn = aws.rule("watch", "arn:aws:sqs:us-east-1:123456789012:in")
    url, _ = aws.queue("in")
    send(aws, a=1)
    assert aws.bodies(url) == []
    aws.account.client("sqs").delete_queue(QueueUrl=url)
    url, _ = aws.queue("in", admits=rule_arn)
    send(aws, a=2)
    assert [body["detail"] for body in aws.bodies(url)] == [{"a": 2}]
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [False, True]


def test_a_topic_gets_the_event_only_if_its_policy_admits_events(aws: World) -> None:
    sns = aws.account.client("sns")
    topic_arn = sns.create_topic(Name="news")["TopicArn"]
    url, queue_arn = aws.queue("in")
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
    aws.rule("watch", topic_arn)
    send(aws, a=1)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=policy)
    send(aws, a=2)
    assert [json.loads(body["Message"])["detail"] for body in aws.bodies(url)] == [{"a": 2}]
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [False, True]


def test_a_topic_is_told_nothing_of_the_rule_so_a_condition_on_it_never_holds(aws: World) -> None:
    sns = aws.account.client("sns")
    topic_arn = sns.create_topic(Name="news")["TopicArn"]
    rule_arn = aws.rule("watch", topic_arn)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=policy)
    send(aws, a=1)
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [False]
    assert aws.facts("told") == []


def test_a_disabled_rule_and_a_pattern_that_does_not_fit_deliver_nothing(aws: World) -> None:
    arn = aws.function(ECHO)
    aws.rule("off", arn, State="DISABLED")
    aws.rule("other", arn, EventPattern=json.dumps({"source": ["tset"]}))
    aws.rule("timed", arn, ScheduleExpression="rate(1 day)")
    send(aws)
    assert aws.facts("delivery") == []


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({"detail": {"jobs": {"state": ["done"]}}}, True),
        ({"detail": {"jobs": {"state": ["done"], "name": ["a"]}}}, False),  # no single object has both
        ({"detail": {"jobs": {"state": ["done"], "name": ["b"]}}}, True),
        ({"detail": {"jobs": {"state": ["lost"]}}}, False),
        ({"detail": {"name": [{"prefix": "flights-"}], "size": [{"numeric": [">", 3]}]}}, True),
        ({"detail": {"name": [{"anything-but": {"prefix": "flights-"}}]}}, False),
        ({"detail": {"absent": [{"exists": False}]}}, True),
        ({"detail": {"size": ["5"]}}, False),
        ({"detail": {"$or": [{"size": [1]}, {"name": ["flights-dev"]}]}}, True),
        ({"resources": ["arn:b"]}, True),
    ],
)
def test_patterns_match_as_documented(aws: World, pattern: dict[str, Any], fits: bool) -> None:
    _, arn = aws.queue("in")
    aws.rule("watch", arn, EventPattern=json.dumps(pattern))
    jobs = [{"name": "a", "state": "new"}, {"name": "b", "state": "done"}]
    aws.account.put_event("test", "X", {"jobs": jobs, "name": "flights-dev", "size": 5}, ["arn:a", "arn:b"])
    aws.account.pump()
    assert len(aws.facts("delivery")) == (1 if fits else 0)


def test_a_function_error_is_tried_three_times_and_is_no_failed_delivery(aws: World) -> None:
    arn = aws.function("def handler(event, context): raise ValueError('no')")
    url, dead_arn = aws.queue("dead")
    rule_arn = aws.rule(
        "watch", arn, targets=[{"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": dead_arn}}]
    )
    aws.permit("work", rule_arn)
    send(aws)
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [True]
    assert [invocation["attempt"] for invocation in aws.facts("invocation")] == [1, 2, 3]
    assert aws.bodies(url) == []  # the target's dead letters hold what never reached Lambda


def test_put_events_goes_the_same_way_and_refuses_what_aws_refuses(aws: World) -> None:
    arn = aws.function(ECHO)
    aws.permit("work", aws.rule("watch", arn))
    good = {"Source": "test", "DetailType": "X", "Detail": '{"a": 1}'}
    entries = [good, {**good, "Detail": "{"}, {**good, "Source": "aws.s3"}, {**good, "EventBusName": "mine"}]
    result = aws.account.client("events").put_events(Entries=entries)["Entries"]
    aws.account.pump()
    assert result[0] == {"EventId": aws.facts("event")[0]["id"]}
    codes = [entry.get("ErrorCode") for entry in result]
    assert codes == [None, "MalformedDetail", "NotAuthorizedForSourceException", "InternalFailure"]
    assert [entry["event"]["detail"] for entry in aws.facts("invocation")] == [{"a": 1}]
    assert aws.facts("unsupported") == [
        {"what": "the event bus mine: the local account has the default bus only"}
    ]


def test_a_bucket_that_notifies_eventbridge_sends_the_documented_event(aws: World) -> None:
    _, arn = aws.queue("in")
    aws.rule("watch", arn, EventPattern=json.dumps({"source": ["aws.s3"], "detail-type": ["Object Created"]}))
    s3 = aws.account.client("s3")
    s3.create_bucket(Bucket="silent")
    s3.create_bucket(Bucket="loud")
    configuration = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket="loud", NotificationConfiguration=configuration)
    s3.put_object(Bucket="silent", Key="labels/a.csv", Body=b"1")
    s3.put_object(Bucket="loud", Key="labels/a.csv", Body=b"1")
    aws.account.pump()
    [event] = aws.facts("event")
    assert event["resources"] == ["arn:aws:s3:::loud"]
    assert event["detail"]["bucket"] == {"name": "loud"}
    assert event["detail"]["object"]["key"] == "labels/a.csv"
    assert event["detail"]["object"]["size"] == 1
    assert event["detail"]["reason"] == "PutObject"
    assert len(aws.facts("delivery")) == 1


def test_a_target_that_is_not_built_stops_the_run_by_name(aws: World) -> None:
    aws.rule("watch", "arn:aws:states:us-east-1:123456789012:stateMachine:m")
    with pytest.raises(Unsupported, match="AWS::Events::Rule watch has the target arn:aws:states"):
        send(aws)


EVENT = {"source": "test", "time": "t", "detail": {"name": "m", "n": 2, "o": {"k": [1]}, "quote": 'a"b'}}


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ({}, EVENT),
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail.o"}, {"k": [1]}),
        ({"InputPath": "$.detail.absent"}, None),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.detail.name"}, "InputTemplate": '{"name": <a>}'}},
            {"name": "m"},
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.detail.o"}, "InputTemplate": '{"o": <a>}'}},
            {"o": {"k": [1]}},
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"a": "$.detail.quote"},
                    "InputTemplate": '"It said <a>."',
                }
            },
            'It said a"b.',
        ),
        (
            {"InputTransformer": {"InputTemplate": '{"rule": "<aws.events.rule-name>"}'}},
            {"rule": "watch"},
        ),
    ],
)
def test_a_target_receives_the_input_that_it_configures(target: dict[str, Any], payload: Any) -> None:
    assert target_input(target, EVENT, rule_arn="arn:rule", rule_name="watch") == payload


def test_a_path_that_is_more_than_names_and_dots_stops_the_run() -> None:
    with pytest.raises(Unsupported, match=r"\$\.detail\[\*\]"):
        at_path(EVENT, "$.detail[*]")
