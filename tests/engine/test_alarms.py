"""CloudWatch alarms: evaluated as documented, announced as AWS does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import alarms
from rehearsal.engine.account import Unsupported
from rehearsal.engine.alarm_rules import Datapoint, judge
from rehearsal.engine.metric_data import percentile
from rehearsal.engine.moto_seams import cloudwatch as seam
from tests.engine.runtime_world import START, World, world

HOURLY = {
    "AlarmName": "drift",
    "Namespace": "Model",
    "MetricName": "Drift",
    "Dimensions": [{"Name": "Model", "Value": "flights"}],
    "Statistic": "Maximum",
    "Period": 3600,
    "EvaluationPeriods": 1,
    "Threshold": 0.5,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def deploy(aws: World, **properties: Any) -> None:
    aws.account.client("cloudwatch").put_metric_alarm(**{**HOURLY, **properties})


def publish(aws: World, value: float | None = None, **datum: Any) -> None:
    data = {"MetricName": "Drift", "Dimensions": HOURLY["Dimensions"], **datum}
    if value is not None:
        data["Value"] = value
    aws.account.client("cloudwatch").put_metric_data(Namespace="Model", MetricData=[data])


def state(aws: World, name: str = "drift") -> str:
    return next(alarm.state.value for alarm in seam.alarms(aws.account) if alarm.name == name)


def changes(aws: World) -> list[tuple[str, str]]:
    return [(f"{entry.time:%d %H:%M}", entry.facts["new"]) for entry in aws.account.journal.of("alarm")]


# The two tables of "Configuring how CloudWatch alarms treat missing data": 0 within, X breaching, - missing.
KEEP, OK, ALARM, NO_DATA = None, "OK", "ALARM", "INSUFFICIENT_DATA"
THREE_OF_THREE = [
    ("0-X-X", OK, OK, OK, OK),
    ("0----", OK, OK, OK, OK),
    ("-----", NO_DATA, KEEP, ALARM, OK),
    ("0XX-X", ALARM, ALARM, ALARM, ALARM),
    ("--X--", ALARM, KEEP, ALARM, OK),
    ("----X", NO_DATA, KEEP, ALARM, OK),  # a row of an older edition; the text calls it not yet an alarm
    ("---X-", NO_DATA, KEEP, ALARM, OK),
]
TWO_OF_THREE = [
    ("0-X-X", ALARM, ALARM, ALARM, ALARM),
    ("00X0X", ALARM, ALARM, ALARM, ALARM),
    ("0-X--", OK, OK, ALARM, OK),
    ("----0", OK, OK, ALARM, OK),
    ("---X-", ALARM, KEEP, ALARM, OK),
]
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
ROWS = [
    pytest.param(needed, points, treatment, expected, id=f"{needed}of3 {points} {treatment}")
    for needed, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, *states in table
    for treatment, expected in zip(TREATMENTS, states, strict=True)
]


def alarm_of(needed: int | None, treatment: str, periods: int = 3) -> seam.MetricAlarm:
    return seam.MetricAlarm(
        name="a",
        arn="arn",
        description="",
        key=seam.SeriesKey("N", "M", frozenset()),
        statistic="Average",
        period_seconds=300,
        unit=None,
        threshold=0.5,
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=periods,
        datapoints_to_alarm=needed,
        treat_missing_data=treatment,
        actions={},
        configured_at=START,
        state=seam.AlarmState("OK", "", "", START),
    )


def datapoints(text: str) -> list[Datapoint]:
    values = {"0": 0.0, "X": 1.0, "-": None}
    return [Datapoint(START + timedelta(minutes=5 * n), values[mark]) for n, mark in enumerate(text)]


@pytest.mark.parametrize(("needed", "points", "treatment", "expected"), ROWS)
def test_missing_data_is_treated_as_the_documented_tables_say(
    needed: int, points: str, treatment: str, expected: str | None
) -> None:
    verdict = judge(alarm_of(needed, treatment), datapoints(points), START)
    assert (verdict and verdict.state) == expected


@pytest.mark.parametrize(
    ("needed", "periods", "points", "treatment", "reason"),
    [
        (
            1,
            1,
            "--X",
            "missing",
            "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (05/01/26 09:10:00)] was greater than the "
            "threshold (0.5) (minimum 1 datapoint for OK -> ALARM transition).",
        ),
        (
            2,
            2,
            "--XX",
            "missing",
            "Threshold Crossed: 2 out of the last 2 datapoints [1.0 (05/01/26 09:15:00), 1.0 (05/01/26 09:10:00)] "
            "were greater than the threshold (0.5) (minimum 2 datapoints for OK -> ALARM transition).",
        ),
        (
            2,
            3,
            "--X00",
            "missing",
            "Threshold Crossed: 2 out of the last 3 datapoints [0.0 (05/01/26 09:20:00), 0.0 (05/01/26 09:15:00)] "
            "were not greater than the threshold (0.5) (minimum 2 datapoints for ALARM -> OK transition).",
        ),
        (
            None,
            1,
            "--X",
            "missing",
            "Threshold Crossed: 1 datapoint [1.0 (05/01/26 09:10:00)] was greater than the threshold (0.5).",
        ),
        (
            None,
            1,
            "---",
            "breaching",
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
            "[Breaching].",
        ),
        (
            None,
            2,
            "----",
            "notBreaching",
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
            "[NonBreaching].",
        ),
        (
            2,
            3,
            "----0",
            "breaching",
            "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as "
            "[Breaching].",
        ),
        (None, 5, "-------", "missing", "Insufficient Data: 5 datapoints were unknown."),
    ],
)
def test_the_reason_is_worded_as_aws_words_it(
    needed: int | None, periods: int, points: str, treatment: str, reason: str
) -> None:
    verdict = judge(alarm_of(needed, treatment, periods), datapoints(points), START)
    assert verdict is not None
    assert verdict.reason == reason


def test_a_new_alarm_has_insufficient_data_and_changes_when_a_period_breaches(aws: World) -> None:
    deploy(aws)
    assert state(aws) == "INSUFFICIENT_DATA"
    publish(aws, 0.9)
    aws.live(hours=2)
    assert changes(aws)[0] == ("05 09:01", "ALARM")  # the datum is in the newest whole minute from 09:01 on


def test_an_update_of_an_alarm_keeps_its_state(aws: World) -> None:
    deploy(aws)
    publish(aws, 0.9)
    aws.live(minutes=5)
    deploy(aws, AlarmDescription="better words")
    assert state(aws) == "ALARM"


def test_an_alarm_follows_its_metric_at_minute_resolution_though_the_clock_leaps(aws: World) -> None:
    deploy(aws, TreatMissingData="notBreaching")
    aws.live(minutes=10)
    publish(aws, 0.9)
    aws.live(days=2)
    # In the newest hour until 10:10, then within the evaluation range of three hours until 12:10.
    assert changes(aws) == [("05 09:00", "OK"), ("05 09:11", "ALARM"), ("05 12:11", "OK")]


def test_two_of_three_hours_must_breach(aws: World) -> None:
    deploy(aws, EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    for value in (0.1, 0.9, 0.2, 0.9, 0.1, 0.1):
        publish(aws, value)
        aws.live(hours=1)
    assert [new for _, new in changes(aws)] == ["OK", "ALARM", "OK"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"MetricName": "Drfit"},
        {"Dimensions": [{"Name": "Model", "Value": "filghts"}]},
        {"Dimensions": []},
        {"Dimensions": [*HOURLY["Dimensions"], {"Name": "Variant", "Value": "AllTraffic"}]},  # type: ignore[misc]
    ],
)
def test_an_alarm_sees_only_the_metric_with_exactly_its_dimensions(aws: World, wrong: dict[str, Any]) -> None:
    deploy(aws)
    publish(aws, 0.9, **wrong)
    aws.live(hours=1)
    assert state(aws) == "INSUFFICIENT_DATA"


def test_an_alarm_with_a_unit_sees_only_data_of_that_unit(aws: World) -> None:
    deploy(aws, Unit="Percent")
    publish(aws, 0.9)
    aws.live(minutes=2)
    assert state(aws) == "INSUFFICIENT_DATA"
    publish(aws, 0.9, Unit="Percent")
    aws.live(minutes=2)
    assert state(aws) == "ALARM"


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("Average", 5.0), ("Sum", 20.0), ("Minimum", 1.0), ("Maximum", 9.0), ("SampleCount", 4.0), ("p50", 5.0)],
)
def test_every_statistic_over_values_and_counts(aws: World, statistic: str, value: float) -> None:
    key = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
    aws.account.client("cloudwatch").put_metric_alarm(
        **{name: item for name, item in HOURLY.items() if name != "Statistic"}, **{key: statistic}
    )
    publish(aws, Values=[1.0, 5.0, 9.0], Counts=[1.0, 2.0, 1.0])
    aws.live(minutes=1)
    assert [facts["value"] for facts in aws.facts("alarm")] == [value]


def test_statistic_sets_give_all_but_percentiles(aws: World) -> None:
    deploy(aws, Statistic="Average")
    common = {name: item for name, item in HOURLY.items() if name not in ("Statistic", "AlarmName")}
    aws.account.client("cloudwatch").put_metric_alarm(AlarmName="p", ExtendedStatistic="p90", **common)
    publish(aws, StatisticValues={"SampleCount": 4.0, "Sum": 8.0, "Minimum": 1.0, "Maximum": 3.0})
    aws.live(minutes=1)
    assert (state(aws), state(aws, "p")) == ("ALARM", "INSUFFICIENT_DATA")
    assert aws.facts("alarm")[0]["value"] == 2.0


def test_percentiles_interpolate_between_ranks() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert percentile([], 50) is None


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("GreaterThanThreshold", 0.5, "OK"),
        ("GreaterThanOrEqualToThreshold", 0.5, "ALARM"),
        ("LessThanThreshold", 0.5, "OK"),
        ("LessThanOrEqualToThreshold", 0.5, "ALARM"),
        ("LessThanThreshold", 0.4, "ALARM"),
    ],
)
def test_the_comparison_operators(aws: World, operator: str, value: float, expected: str) -> None:
    deploy(aws, ComparisonOperator=operator)
    publish(aws, value)
    aws.live(minutes=1)
    assert state(aws) == expected


def test_a_change_is_an_event_of_the_documented_form(aws: World) -> None:
    deploy(aws, AlarmDescription="see the runbook", DatapointsToAlarm=1)
    publish(aws, 0.9)
    aws.live(minutes=1)
    [event] = aws.facts("event")
    assert (event["source"], event["detail_type"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert event["resources"] == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:drift"]
    detail = event["detail"]
    assert detail["alarmName"] == "drift"
    assert detail["state"]["value"] == "ALARM"
    assert detail["state"]["timestamp"] == "2026-01-05T09:01:00.000+0000"
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [0.9]
    assert detail["previousState"] == {
        "value": "INSUFFICIENT_DATA",
        "reason": "Unchecked: Initial alarm creation",
        "timestamp": "2026-01-05T09:00:00.000+0000",
    }
    assert detail["configuration"]["description"] == "see the runbook"
    [metric] = detail["configuration"]["metrics"]
    assert metric["returnData"] is True
    assert metric["metricStat"] == {
        "metric": {"namespace": "Model", "name": "Drift", "dimensions": {"Model": "flights"}},
        "period": 3600,
        "stat": "Maximum",
    }


def test_the_actions_of_the_new_state_are_published_and_disabled_ones_are_not(aws: World) -> None:
    sns = aws.account.client("sns")
    topic = sns.create_topic(Name="people")["TopicArn"]
    url, queue_arn = aws.queue("inbox")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    deploy(aws, AlarmActions=[topic], TreatMissingData="notBreaching")
    deploy(aws, AlarmName="mute", AlarmActions=[topic], ActionsEnabled=False)
    publish(aws, 0.9)
    aws.live(minutes=1)
    [notice] = aws.bodies(url)
    assert notice["Subject"] == 'ALARM: "drift" in US East (N. Virginia)'
    message = json.loads(notice["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == ("drift", "ALARM")
    assert (message["Trigger"]["MetricName"], message["Trigger"]["Statistic"]) == ("Drift", "MAXIMUM")
    assert [delivery["ok"] for delivery in aws.facts("delivery")] == [True]


def test_a_topic_policy_without_cloudwatch_keeps_the_alarm_silent(aws: World) -> None:
    sns = aws.account.client("sns")
    topic = sns.create_topic(Name="people")["TopicArn"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic}
    deny["Condition"] = {
        "Bool": {"aws:SecureTransport": "false"}
    }  # what enforce_ssl leaves as the only statement
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    deploy(aws, AlarmActions=[topic])
    publish(aws, 0.9)
    aws.live(minutes=1)
    [delivery] = aws.facts("delivery")
    assert delivery["ok"] is False
    assert "cloudwatch.amazonaws.com is not authorized to perform: sns:Publish" in delivery["error"]


def test_setting_the_state_by_hand_announces_it_and_lasts_until_the_next_evaluation(aws: World) -> None:
    deploy(aws)
    publish(aws, 0.1)
    aws.live(minutes=1)
    client = aws.account.client("cloudwatch")
    client.set_alarm_state(AlarmName="drift", StateValue="ALARM", StateReason="a drill")
    aws.account.pump()
    assert aws.facts("alarm")[-1] == {
        "alarm": "drift",
        "old": "OK",
        "new": "ALARM",
        "reason": "a drill",
        "value": None,
    }
    assert aws.facts("event")[-1]["detail"]["state"]["reason"] == "a drill"
    aws.live(minutes=1)
    assert state(aws) == "OK"


def test_a_diagnosis_shows_the_metric_that_an_alarm_misses(aws: World) -> None:
    deploy(aws)
    deploy(aws, AlarmName="fine", MetricName="Rows")
    publish(aws, 0.9, Dimensions=[{"Name": "Model", "Value": "filghts"}], Unit="Percent")
    publish(aws, 5.0, MetricName="Rows")
    [drift, fine] = alarms.diagnose(aws.account)
    assert fine == {"alarm": "fine", "datapoints": 1}
    assert drift["datapoints"] == 0
    assert drift["nearest"] == [
        {"namespace": "Model", "name": "Drift", "dimensions": {"Model": "filghts"}, "units": ["Percent"]}
    ]


@pytest.mark.parametrize(
    ("properties", "feature"),
    [
        ({"Period": 10}, "a period below 60 seconds"),
        (
            {
                "Metrics": [
                    {"Id": "e", "Expression": "m1/m2"},
                    {"Id": "m1", "MetricStat": {"Metric": {"MetricName": "M"}, "Period": 60, "Stat": "Sum"}},
                ]
            },
            "ReturnData of e, m1",
        ),
    ],
)
def test_an_alarm_that_cannot_be_evaluated_stops_the_run_by_name(
    aws: World, properties: dict[str, Any], feature: str
) -> None:
    with pytest.raises(Unsupported, match=f"the alarm drift uses {feature}"):
        deploy(aws, **properties)
    assert aws.facts("unsupported") != []


def test_lambda_and_sqs_publish_what_alarms_on_errors_and_dead_letters_watch(aws: World) -> None:
    aws.function("def handler(event, context): raise ValueError")
    url, _ = aws.queue("dead")
    common = {"Statistic": "Maximum", "Period": 300, "Threshold": 0, "TreatMissingData": "notBreaching"}
    errors = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
    depth = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}
    deploy(
        aws, AlarmName="errors", **errors, **common, Dimensions=[{"Name": "FunctionName", "Value": "work"}]
    )
    deploy(aws, AlarmName="depth", **depth, **common, Dimensions=[{"Name": "QueueName", "Value": "dead"}])
    aws.live(minutes=1)
    assert (state(aws, "errors"), state(aws, "depth")) == ("OK", "OK")
    aws.call("work")
    aws.account.client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    aws.live(minutes=2)
    assert (state(aws, "errors"), state(aws, "depth")) == ("ALARM", "ALARM")
    aws.live(minutes=30)
    assert (state(aws, "errors"), state(aws, "depth")) == ("OK", "ALARM")
    aws.account.client("sqs").purge_queue(QueueUrl=url)
    aws.live(minutes=30)
    assert state(aws, "depth") == "OK"


def test_the_history_of_an_alarm_tells_when_and_why_it_changed_the_newest_first(aws: World) -> None:
    client = aws.account.client("cloudwatch")
    deploy(aws)
    deploy(aws, AlarmName="other")
    for word in ("OK", "ALARM"):
        client.set_alarm_state(AlarmName="drift", StateValue=word, StateReason=f"a drill: {word}")
    aws.account.pump()
    items = client.describe_alarm_history(AlarmName="drift", HistoryItemType="StateUpdate")[
        "AlarmHistoryItems"
    ]
    assert [one["HistorySummary"] for one in items] == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    assert json.loads(items[0]["HistoryData"])["newState"]["stateReason"] == "a drill: ALARM"
    assert [one["Timestamp"] for one in items] == [START, START]


def test_a_history_is_asked_for_by_alarm_time_and_page(aws: World) -> None:
    client = aws.account.client("cloudwatch")
    deploy(aws)
    for word in ("OK", "ALARM", "OK"):
        client.set_alarm_state(AlarmName="drift", StateValue=word, StateReason="a drill")
        aws.account.pump()
        aws.account.advance_to(aws.account.clock.now() + timedelta(hours=2))

    def summaries(**asked: Any) -> list[str]:
        pages = client.get_paginator("describe_alarm_history").paginate(**asked)
        return [
            one["HistorySummary"].rsplit(" ", 1)[1] for page in pages for one in page["AlarmHistoryItems"]
        ]

    every = summaries()
    assert summaries(MaxRecords=1) == every
    assert summaries(ScanBy="TimestampAscending") == every[::-1]
    assert summaries(AlarmName="nobody") == summaries(StartDate=START + timedelta(days=9)) == []
    assert summaries(EndDate=START)[-1] == "OK"
    assert len(summaries(EndDate=START)) < len(every)
