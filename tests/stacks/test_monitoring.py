"""Alarms, the topic and the dashboard: every alarm tells somebody, says what to do, and is on the wall."""

from __future__ import annotations

import json
import re
from typing import Any

from config.schema import ROOT, Monitoring
from domain.names import DECIDED, Metric
from rehearsal.engine.log_queries import parse
from tests.stacks import synthesis
from tests.stacks.synthesis import DEV, Deployment


def test_every_alarm_tells_the_people_and_names_its_runbook(deployment: Deployment) -> None:
    topic = deployment.resolve("monitoring", {"Ref": deployment.one("AWS::SNS::Topic").logical_id})
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        if alarm.part != "serving":  # record_release tells of those, since the topic comes after Serving
            assert alarm.properties["AlarmActions"] == [topic], alarm.logical_id
        assert "Runbook: docs/runbooks/" in alarm.properties["AlarmDescription"], alarm.logical_id


def test_every_alarm_says_what_silence_means(deployment: Deployment) -> None:
    silence = {
        a.properties.get("AlarmName", "").rsplit("-", 1)[-1]: a.properties["TreatMissingData"]
        for a in deployment.of_type("AWS::CloudWatch::Alarm", "monitoring")
    }
    of_a_daily_value = dict.fromkeys(("loss", "invalid", "traffic"), "ignore")
    assert silence == of_a_daily_value | {
        "silence": "breaching",
        "heartbeat": "breaching",
        "5xx": "notBreaching",
    }


def test_the_heartbeat_is_red_only_when_a_day_and_more_has_no_datum_at_all(deployment: Deployment) -> None:
    found = deployment.one("AWS::CloudWatch::Alarm", "Heartbeat").properties
    assert (found["Threshold"], found["ComparisonOperator"]) == (0, "LessThanThreshold")  # no count is
    assert 24 * 3600 < found["Period"] * found["EvaluationPeriods"] <= 48 * 3600
    assert "DatapointsToAlarm" not in found  # all of them


def test_every_queue_of_dead_letters_has_an_alarm(deployment: Deployment) -> None:
    watched = {
        dimension["Value"]
        for alarm in deployment.of_type("AWS::CloudWatch::Alarm", "retraining")
        for dimension in alarm.properties["Dimensions"]
    }
    ends = {
        deployment.resolve(q.part, {"Fn::GetAtt": [q.logical_id, "QueueName"]})
        for q in deployment.of_type("AWS::SQS::Queue")
        if "RedrivePolicy" not in q.properties
    }
    assert watched == ends


def test_the_stated_rate_reaches_the_check_and_the_alarm_says_it_in_words() -> None:
    config = DEV.model_copy(update={"monitoring": Monitoring(false_alarms_per_year=2.5)})
    deployment = synthesis.synthesise(config)
    alarm = deployment.one("AWS::CloudWatch::Alarm", "Loss").properties
    assert (alarm["MetricName"], alarm["Threshold"]) == (Metric.LOSS_EVIDENCE, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert "2.5 times a year" in alarm["AlarmDescription"]
    variables = deployment.function("check_drift").properties["Environment"]["Variables"]
    assert variables["FALSE_ALARMS_PER_YEAR"] == "2.5"


def test_people_are_told_by_the_mail_of_the_config() -> None:
    config = DEV.model_copy(update={"notify_email": "team@example.com"})
    subscription = synthesis.synthesise(config).one("AWS::SNS::Subscription").properties
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "team@example.com")


def test_without_a_mail_nobody_is_subscribed(dev: Deployment) -> None:
    assert dev.of_type("AWS::SNS::Subscription") == []


def test_the_dashboard_shows_every_alarm_but_those_of_a_release(dev: Deployment) -> None:
    (status,) = (w for w in widgets(dev) if w["type"] == "alarm")
    alarms = [
        dev.resolve(a.part, {"Fn::GetAtt": [a.logical_id, "Arn"]})
        for a in dev.of_type("AWS::CloudWatch::Alarm")
        if a.part != "serving"
    ]
    assert sorted(status["properties"]["alarms"]) == sorted(alarms)


def test_every_graph_says_what_it_counts_and_in_which_unit(dev: Deployment) -> None:
    graphs = [w["properties"] for w in widgets(dev) if w["type"] == "metric"]
    assert graphs
    for graph in graphs:
        assert graph["title"], graph
        assert graph["yAxis"]["left"]["label"], graph["title"]


def test_the_dashboard_asks_the_logs_of_every_function_for_decisions(dev: Deployment) -> None:
    groups = {group.properties["LogGroupName"] for group in dev.of_type("AWS::Logs::LogGroup")}
    functions = {group for group in groups if group.startswith("/aws/lambda/")}
    queries = [parse(w["properties"]["query"]) for w in widgets(dev) if w["type"] == "log"]
    assert queries
    for query in queries:
        assert set(query.groups) == functions
        assert f'filter message = "{DECIDED}"' in query.commands


def test_every_runbook_that_the_dashboard_names_is_there(dev: Deployment) -> None:
    (about,) = (w["properties"]["markdown"] for w in widgets(dev) if "runbooks" in str(w["properties"]))
    named = re.findall(r"docs/runbooks/[\w-]+\.md", about)
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert set(named) == there - {"docs/runbooks/batch.md"}  # this deployment has an endpoint


def widgets(deployment: Deployment) -> list[dict[str, Any]]:
    body = json.loads(deployment.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    found: list[dict[str, Any]] = body["widgets"]
    return found


def test_dashboard_widgets_neither_overlap_nor_leave_the_wall(dev: Deployment) -> None:
    body = json.loads(dev.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    cells: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        assert widget["x"] + widget["width"] <= 24
        covered = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not covered & cells
        cells |= covered
