"""Contracts with moto 5.2.5: each private piece that the runtime half touches is there, and is put back."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import moto
import moto.s3.notifications as s3_notifications
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.events.models import EventPattern, EventsBackend, events_backends
from moto.iam.models import IAMBackend
from moto.moto_api._internal import mock_random
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends
from moto.sts.models import sts_backends

from tests.engine.runtime_world import world

REPLACED = [
    (botocore.session, "create_loader"),
    (IAMBackend, "_init_aws_policies"),
    (LambdaResponse, "invoke"),
    (LambdaFunction, "__init__"),
    (LambdaFunction, "update_configuration"),
    (LambdaFunction, "invoke"),
    (LambdaBackend, "create_event_source_mapping"),
    (EventsBackend, "put_rule"),
    (EventsBackend, "put_events"),
    (EventPattern, "matches_event"),
    (s3_notifications, "_send_event_bridge_message"),
    (Queue, "add_message"),
    (Message, "visible"),
    (CloudWatchBackend, "put_metric_alarm"),
    (CloudWatchBackend, "set_alarm_state"),
]


def test_the_version_of_moto_is_the_one_that_the_seams_were_written_for() -> None:
    assert moto.__version__ == "5.2.5"


def test_what_the_account_replaces_is_put_back_when_it_closes(tmp_path: Path) -> None:
    before = [vars(owner)[name] for owner, name in REPLACED]
    with world(tmp_path):
        during = [vars(owner)[name] for owner, name in REPLACED]
        assert [
            name for (_, name), old, new in zip(REPLACED, before, during, strict=True) if old is new
        ] == []
    assert [vars(owner)[name] for owner, name in REPLACED] == before


def test_the_hidden_mappings_of_a_queue_are_back_when_the_account_closes(tmp_path: Path) -> None:
    with world(tmp_path):
        assert "lambda_event_source_mappings" in vars(Queue)
    assert "lambda_event_source_mappings" not in vars(Queue)


def test_moto_has_no_history_of_alarms_of_its_own_and_loses_ours_when_the_account_closes(
    tmp_path: Path,
) -> None:
    assert not hasattr(CloudWatchResponse, "describe_alarm_history")
    with world(tmp_path):
        assert hasattr(CloudWatchResponse, "describe_alarm_history")
    assert not hasattr(CloudWatchResponse, "describe_alarm_history")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (LambdaFunction.__init__, ["self", "account_id", "spec", "region", "version"]),
        (LambdaFunction.invoke, ["self", "body", "request_headers", "response_headers"]),
        (LambdaFunction.update_configuration, ["self", "config_updates"]),
        (LambdaBackend.create_event_source_mapping, ["self", "spec"]),
        (EventsBackend.put_events, ["self", "events"]),
        (EventPattern.matches_event, ["self", "event"]),
        (EventPattern._does_event_match, ["self", "event_flat", "pattern_node", "prefix"]),
        (s3_notifications._send_event_bridge_message, ["account_id", "bucket", "event_name", "key"]),
        (Queue.add_message, ["self", "message"]),
        (
            SQSBackend.receive_message,
            [
                "self",
                "queue_name",
                "count",
                "wait_seconds_timeout",
                "visibility_timeout",
                "message_attribute_names",
            ],
        ),
        (
            SQSBackend.change_message_visibility,
            ["self", "queue_name", "receipt_handle", "visibility_timeout"],
        ),
        (
            CloudWatchBackend.get_metric_statistics,
            [
                "self",
                "namespace",
                "metric_name",
                "start_time",
                "end_time",
                "period",
                "stats",
                "dimensions",
                "unit",
            ],
        ),
        (CloudWatchBackend.set_alarm_state, ["self", "alarm_name", "reason", "reason_data", "state_value"]),
    ],
    ids=lambda item: getattr(item, "__qualname__", ""),
)
def test_moto_calls_these_pieces_with_the_parameters_that_the_seams_expect(
    function: Any, parameters: list[str]
) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@mock_aws
def test_moto_keeps_the_facts_that_the_seams_read() -> None:
    sqs, events, cloudwatch = (boto3.client(name, "us-east-1") for name in ("sqs", "events", "cloudwatch"))
    sqs.create_queue(QueueName="q")
    sqs.send_message(QueueUrl="q", MessageBody="{}")
    events.put_rule(Name="r", ScheduleExpression="rate(1 day)")
    cloudwatch.put_metric_data(
        Namespace="N",
        MetricData=[
            {"MetricName": "M", "Value": 1.0, "Dimensions": [{"Name": "a", "Value": "b"}]},
            {"MetricName": "M", "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}},
        ],
    )
    queue = sqs_backends["123456789012"]["us-east-1"].queues["q"]
    [message] = queue._messages
    assert {"id", "body", "sender_id", "sent_timestamp", "visible_at", "message_attributes"} <= set(
        vars(message)
    )
    assert queue.dead_letter_queue is None
    assert queue.attributes["VisibilityTimeout"] == 30
    rule = events_backends["123456789012"]["us-east-1"].event_buses["default"].rules["r"]
    assert (rule.state, rule.scheduled_expression, rule.targets) == ("ENABLED", "rate(1 day)", [])
    value, statistics = cloudwatch_backends["123456789012"]["us-east-1"].metric_data
    assert {"namespace", "name", "dimensions", "unit", "timestamp", "value"} <= set(vars(value))
    assert {"min", "max", "sum", "sample_count"} <= set(vars(statistics))
    assert lambda_backends["123456789012"]["us-east-1"]._event_source_mappings == {}
    assert sts_backends["123456789012"]["aws"].get_assumed_role_from_access_key("nobody") is None


def test_seeding_moto_makes_its_identifiers_repeat() -> None:
    mock_random.seed(7)
    first = mock_random.uuid4()
    mock_random.seed(7)
    assert mock_random.uuid4() == first


def test_plain_moto_is_unaffected_after_an_account_has_closed(tmp_path: Path) -> None:
    with world(tmp_path) as aws:
        aws.queue("q")
    with mock_aws():
        sqs, events = boto3.client("sqs", "us-east-1"), boto3.client("events", "us-east-1")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        events.put_rule(Name="r", EventPattern=json.dumps({"source": ["test"]}))
        arn = "arn:aws:sqs:us-east-1:123456789012:q"
        events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
        events.put_events(Entries=[{"Source": "test", "DetailType": "X", "Detail": "{}"}])
        assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_accounts_live_one_after_another(tmp_path: Path) -> None:
    for number in range(2):
        with world(tmp_path / str(number)) as aws:
            aws.queue("q")
            assert aws.account.client("sqs").list_queues()["QueueUrls"] == [aws.queue("q")[0]]
            assert list(aws.account.journal.entries) == []


def test_sessions_share_what_was_read_of_the_services(tmp_path: Path) -> None:
    with world(tmp_path):
        one, other = (boto3.Session()._session.get_component("data_loader") for _ in range(2))
        described = [loader.load_service_model("sqs", "service-2") for loader in (one, other)]
        assert described[0] is described[1]


def test_the_managed_policies_of_aws_are_there_in_every_account(tmp_path: Path) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    for number in range(2):
        with world(tmp_path / str(number)) as aws:
            aws.role("worker", statements=())
            iam = aws.account.client("iam")
            assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0
            iam.attach_role_policy(RoleName="worker", PolicyArn=arn)
            assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
