"""Metric math: what an expression over one period gives, what is not built, and an alarm on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import alarms
from rehearsal.engine.account import Unsupported
from rehearsal.engine.metric_math import NotBuilt, parse
from rehearsal.engine.moto_seams import cloudwatch as seam
from tests.engine.runtime_world import World, world

IDS = frozenset({"m1", "m2"})


@pytest.mark.parametrize(
    ("text", "m1", "m2", "expected"),
    [
        ("m1 - m2", 3.0, 1.0, 2.0),
        ("ABS(m1 - m2) / m2", 1.0, 4.0, 0.75),
        ("-m1 + 2 * m2", 1.0, 2.0, 3.0),
        ("m1 / m2", 1.0, 0.0, None),
        ("m1 + m2", None, 1.0, None),
        ("FILL(m1, 0) + m2", None, 1.0, 1.0),
        ("FILL(m1, m2)", None, 5.0, 5.0),
        ("m1 > m2", 2.0, 1.0, 1.0),
        ("m1 == m2", 2.0, 1.0, 0.0),
        ("IF(m2 >= 30, m1, 0)", 7.0, 30.0, 7.0),
        ("IF(m2 >= 30, m1, 0)", 7.0, 29.0, 0.0),
        ("IF(m2 >= 30, m1, 0)", 7.0, None, None),
    ],
)
def test_an_expression_has_a_value_or_no_data(
    text: str, m1: float | None, m2: float | None, expected: float | None
) -> None:
    assert parse(text, IDS).value({"m1": m1, "m2": m2}) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("m3 + m1", "'m3'"),
        ("RATE(m1)", r"'RATE\(m1\)'"),
        ("m1 ** 2", r"'m1 \*\* 2'"),
        ("SUM([m1, m2])", r"'SUM\(\[m1, m2\]\)'"),
        ("m1.real", "'m1.real'"),
        ("__import__('os')", "__import__"),
        ("ABS(m1, m2)", "ABS"),
        ("m1 +", "cannot be read"),
    ],
)
def test_what_is_not_built_is_named(text: str, named: str) -> None:
    with pytest.raises(NotBuilt, match=named):
        parse(text, IDS)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def query(name: str, config: str | None) -> dict[str, Any]:
    dimensions = [{"Name": "Endpoint", "Value": "live"}]
    if config:
        dimensions.append({"Name": "Config", "Value": config})
    metric = {"Namespace": "Model", "MetricName": "Prediction", "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": 60, "Stat": "Average"}
    return {"Id": name, "MetricStat": stat, "ReturnData": False}


def deploy(aws: World, *queries: dict[str, Any], expression: str = "ABS(new - all)", **more: Any) -> None:
    aws.account.client("cloudwatch").put_metric_alarm(
        AlarmName="shifted",
        Metrics=[{"Id": "shift", "Expression": expression, "ReturnData": True}, *queries],
        EvaluationPeriods=1,
        Threshold=0.2,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        **more,
    )


def predict(aws: World, value: float, config: str) -> None:
    """One prediction, under both sets of dimensions."""
    for named in (None, config):
        dimensions = query("any", named)["MetricStat"]["Metric"]["Dimensions"]
        datum = {"MetricName": "Prediction", "Dimensions": dimensions, "Value": value}
        aws.account.client("cloudwatch").put_metric_data(Namespace="Model", MetricData=[datum])


def state(aws: World) -> str:
    (alarm,) = seam.alarms(aws.account)
    return alarm.state.value


def test_an_alarm_fires_when_the_new_fleet_predicts_otherwise_than_all_traffic(aws: World) -> None:
    deploy(aws, query("new", "two"), query("all", None))
    aws.live(minutes=1)
    assert state(aws) == "OK"
    predict(aws, 0.5, "one")
    predict(aws, 0.5, "two")
    aws.live(minutes=2)
    assert state(aws) == "OK"
    predict(aws, 0.0, "one")
    predict(aws, 1.0, "two")
    aws.live(minutes=2)
    assert state(aws) == "ALARM"
    (told,) = [facts for facts in aws.facts("alarm") if facts["new"] == "ALARM"]
    assert told["value"] == 0.5
    (event,) = [
        facts["detail"]
        for facts in aws.facts("event")
        if facts["detail_type"] == "CloudWatch Alarm State Change"
        and facts["detail"]["state"]["value"] == "ALARM"
    ]
    assert [metric["id"] for metric in event["configuration"]["metrics"]] == ["shift", "new", "all"]
    assert event["configuration"]["metrics"][0]["expression"] == "ABS(new - all)"


def test_an_alarm_on_metric_math_tells_its_topic_what_it_computes(aws: World) -> None:
    sns, sqs = aws.account.client("sns"), aws.account.client("sqs")
    topic = sns.create_topic(Name="people")["TopicArn"]
    url, arn = aws.queue("inbox")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    deploy(aws, query("new", "two"), query("all", None), AlarmActions=[topic])
    predict(aws, 0.0, "one")
    predict(aws, 1.0, "two")
    aws.live(minutes=2)
    (body,) = [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]]
    assert "ABS(new - all)" in body


def test_a_metric_of_the_expression_without_data_is_found(aws: World) -> None:
    deploy(aws, query("new", "three"), query("all", None))
    predict(aws, 0.5, "one")
    (finding,) = alarms.diagnose(aws.account)
    assert finding["datapoints"] == 0
    assert finding["wanted"]["dimensions"] == {"Endpoint": "live", "Config": "three"}
    nearest = [found["dimensions"] for found in finding["nearest"]]
    assert {"Config": "one", "Endpoint": "live"} in nearest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expression": "RATE(new)"}, "RATE"),
        ({"expression": "new - old"}, "'old'"),
    ],
)
def test_an_alarm_on_what_is_not_built_stops_by_name(
    aws: World, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unsupported, match=message):
        deploy(aws, query("new", "two"), query("all", None), **change)


def test_a_constant_where_data_is_missing_keeps_an_alarm_quiet(aws: World) -> None:
    deploy(aws, query("new", "two"), query("all", None), expression="IF(FILL(new, 0) > 0.9, 1, 0)")
    aws.account.advance_to(aws.account.clock.now() + timedelta(minutes=3))
    assert state(aws) == "OK"
