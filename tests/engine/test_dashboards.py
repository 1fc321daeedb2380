"""What the lines of a dashboard show: statistics, percentiles, metric math, and nothing where nothing was published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import dashboards
from rehearsal.engine.account import Unsupported
from rehearsal.engine.log_queries import Table
from tests.engine.runtime_world import START, World, world

OF_ENDPOINT = ["Endpoint", "one"]


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        client = it.account.client("cloudwatch")
        dimensions = [{"Name": "Endpoint", "Value": "one"}]
        for name, values in (("Latency", [1.0, 2.0, 9.0]), ("Errors", [0.0, 1.0]), ("Requests", [4.0])):
            data = {"MetricName": name, "Values": values, "Dimensions": dimensions, "Timestamp": START}
            client.put_metric_data(Namespace="Own", MetricData=[data])
        yield it


def shown(aws: World, *rows: list[Any], **graph: Any) -> dict[str, float | None]:
    """By its last word what a graph of these rows shows."""
    body = {
        "widgets": [
            {"type": "text", "properties": {"markdown": "# Own"}},
            {"type": "metric", "properties": {"title": "A graph", "metrics": list(rows), **graph}},
        ]
    }
    aws.account.client("cloudwatch").put_dashboard(DashboardName="own", DashboardBody=json.dumps(body))
    found = dashboards.lines(aws.account, "own")
    assert {line.graph for line in found} == {"A graph"}
    return {line.what.rsplit(" ", 1)[-1]: line.value for line in found}


def test_a_line_shows_its_statistic_or_percentile_of_the_last_period_with_data(aws: World) -> None:
    rows = [["Own", "Latency", *OF_ENDPOINT, {"stat": stat}] for stat in ("Sum", "Maximum", "p50", "p90")]
    assert shown(aws, *rows) == pytest.approx({"Sum": 12.0, "Maximum": 9.0, "p50": 2.0, "p90": 7.6})


def test_a_line_of_other_dimensions_or_another_name_shows_nothing(aws: World) -> None:
    assert shown(aws, ["Own", "Latency"]) == {"Average": None}
    assert shown(aws, ["Own", "Latency", "Endpoint", "two"]) == {"Average": None}
    assert shown(aws, ["Own", "Delay", *OF_ENDPOINT]) == {"Average": None}


def test_an_expression_is_computed_of_metrics_that_may_be_hidden(aws: World) -> None:
    hidden = {"stat": "Sum", "visible": False}
    found = shown(
        aws,
        [{"expression": "errors/requests", "id": "share"}],
        ["Own", "Errors", *OF_ENDPOINT, {**hidden, "id": "errors"}],
        ["Own", "Requests", *OF_ENDPOINT, {**hidden, "id": "requests"}],
    )
    assert found == {"errors/requests": 0.25}


@pytest.mark.parametrize(
    "row",
    [[".", "Latency", *OF_ENDPOINT], [{"expression": "SEARCH('{Own} Latency')"}]],
    ids=["dots", "search"],
)
def test_what_is_not_built_stops_by_name(aws: World, row: list[Any]) -> None:
    with pytest.raises(Unsupported, match="dashboard"):
        shown(aws, row)


def test_a_wall_shows_lines_rows_and_states_from_its_own_start_on(aws: World) -> None:
    aws.account.client("logs").create_log_group(logGroupName="/own")
    state = {"MetricName": "Latency", "Namespace": "Own", "Statistic": "Sum", "Threshold": 1, "Period": 60}
    comparison = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}
    aws.account.client("cloudwatch").put_metric_alarm(AlarmName="late", **state, **comparison)
    arn = f"arn:aws:cloudwatch:{aws.account.region}:{aws.account.id}:alarm:"
    place = {"x": 0, "width": 12, "height": 6}
    body = {
        "start": "-P2D",
        "widgets": [
            {
                "type": "metric",
                "y": 0,
                **place,
                "properties": {"metrics": [["Own", "Latency", *OF_ENDPOINT]]},
            },
            {"type": "log", "y": 6, **place, "properties": {"query": "SOURCE '/own' | fields kind"}},
            {"type": "alarm", "y": 12, **place, "properties": {"alarms": [f"{arn}late", f"{arn}gone"]}},
        ],
    }
    cloudwatch = aws.account.client("cloudwatch")
    cloudwatch.put_dashboard(DashboardName="own", DashboardBody=json.dumps(body))

    shown = dashboards.wall(aws.account, "own")
    assert shown is not None
    graph, log, alarms = shown.panels
    assert [line.value for line in graph.lines] == [4.0]
    assert log.table == Table(("kind",), ())
    assert alarms.states == (("late", "INSUFFICIENT_DATA"), ("gone", "there is none"))

    aws.account.advance_to(START + timedelta(days=3))
    later = dashboards.wall(aws.account, "own")
    assert later is not None
    assert [line.value for line in later.panels[0].lines] == [None]
    assert dashboards.wall(aws.account, "ow") is None
