"""Alarms and widgets look at metrics that somebody publishes: name, dimensions, unit and statistic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from domain.monitoring import Effect, LossEvidence, LossWindow, Traffic, TrafficEvidence, metrics
from domain.names import DEPLOYMENT_DIMENSION, METRIC_NAMESPACE, METRIC_UNITS, VARIANT
from domain.settings import CheckDriftSettings
from lambdas import aws, check_drift
from rehearsal.engine.metric_math import parse
from tests.stacks.synthesis import Deployment

BOTH_FLEETS, ONE_FLEET = (
    ("EndpointName", "VariantName"),
    ("EndpointConfigName", "EndpointName", "VariantName"),
)
AWS_METRICS = {
    ("AWS/SageMaker", "Invocations"): [BOTH_FLEETS, ONE_FLEET],
    ("AWS/SageMaker", "Invocation4XXErrors"): [BOTH_FLEETS, ONE_FLEET],
    ("AWS/SageMaker", "Invocation5XXErrors"): [BOTH_FLEETS, ONE_FLEET],
    ("AWS/SageMaker", "ModelLatency"): [BOTH_FLEETS, ONE_FLEET],
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): [("QueueName",)],
    ("AWS/Lambda", "Errors"): [("FunctionName",)],
    ("/aws/sagemaker/Endpoints", "CPUUtilization"): [BOTH_FLEETS],
    ("/aws/sagemaker/Endpoints", "MemoryUtilization"): [BOTH_FLEETS],
    **{
        ("AWS/Sagemaker/ModelBuildingPipeline", f"Execution{what}"): [("PipelineName",)]
        for what in ("Succeeded", "Failed", "Stopped", "Duration")
    },
}
"""The metrics of AWS services that we rely on, and the sets of dimensions without which they are empty."""
STATISTICS = {"Average", "Maximum", "Minimum", "Sum", "SampleCount", "p50", "p90", "p99"}


class Seen(NamedTuple):
    """A metric that an alarm or a widget looks at."""

    where: str
    namespace: str
    name: str
    dimensions: dict[str, str]
    statistic: str


def of_alarms(deployment: Deployment) -> Iterator[Seen]:
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        p = alarm.properties
        if "Metrics" in p:
            continue  # rollback_lint proves these
        dimensions = {d["Name"]: d["Value"] for d in p["Dimensions"]}
        statistic = p.get("Statistic") or p["ExtendedStatistic"]
        yield Seen(alarm.logical_id, p["Namespace"], p["MetricName"], dimensions, statistic)


def of_dashboard(deployment: Deployment) -> Iterator[Seen]:
    """Each row of each graph. A dot repeats the cell above it, `...` all the cells in between."""
    body = json.loads(deployment.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    for widget in body["widgets"]:
        above: list[str] = []
        for row in widget["properties"].get("metrics", []):
            cells = [cell for cell in row if isinstance(cell, str)]
            if not cells:
                continue  # metric math over rows that follow
            if "..." in cells:
                gap = cells.index("...")
                middle = above[gap : gap + len(above) - len(cells) + 1]
                cells = [*cells[:gap], *middle, *cells[gap + 1 :]]
            cells = [above[i] if cell == "." else cell for i, cell in enumerate(cells)]
            above = cells
            options = next((cell for cell in row if isinstance(cell, dict)), {})
            statistic = options.get("stat") or widget["properties"].get("stat", "Average")
            dimensions = dict(zip(cells[2::2], cells[3::2], strict=True))
            yield Seen(widget["properties"]["title"], cells[0], cells[1], dimensions, statistic)


@pytest.fixture(params=["dev", "prod"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    found: Deployment = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def seen(deployment: Deployment) -> list[Seen]:
    return [*of_alarms(deployment), *of_dashboard(deployment)]


def test_our_own_metrics_are_ones_that_check_drift_publishes(
    deployment: Deployment, seen: list[Seen]
) -> None:
    published = deployment.function("check_drift").properties["Environment"]["Variables"]["DEPLOYMENT"]
    own = [s for s in seen if s.namespace == METRIC_NAMESPACE]
    assert own
    for metric in own:
        assert metric.name in METRIC_UNITS, metric
        assert metric.dimensions == {DEPLOYMENT_DIMENSION: published}, metric


def test_every_metric_that_costs_is_looked_at(seen: list[Seen]) -> None:
    assert {s.name for s in seen if s.namespace == METRIC_NAMESPACE} == set(METRIC_UNITS)


def test_aws_s_metrics_are_ones_that_exist_with_exactly_their_dimensions(seen: list[Seen]) -> None:
    for metric in seen:
        if metric.namespace != METRIC_NAMESPACE:
            assert tuple(sorted(metric.dimensions)) in AWS_METRICS[metric.namespace, metric.name], metric


def test_endpoint_metrics_are_those_of_the_endpoint_that_serving_makes(
    deployment: Deployment, seen: list[Seen]
) -> None:
    endpoint = deployment.one("AWS::SageMaker::Endpoint").properties["EndpointName"]
    (variant,) = deployment.one("AWS::SageMaker::EndpointConfig").properties["ProductionVariants"]
    assert variant["VariantName"] == VARIANT
    for metric in seen:
        if metric.namespace == "AWS/SageMaker":
            both = {name: metric.dimensions[name] for name in BOTH_FLEETS}
            assert both == {"EndpointName": endpoint, "VariantName": VARIANT}, metric


def test_statistics_exist_and_a_once_a_day_value_is_not_averaged_over_nothing(seen: list[Seen]) -> None:
    assert {s.statistic for s in seen} <= STATISTICS
    assert {s.statistic for s in seen if s.namespace == METRIC_NAMESPACE} == {"Maximum"}


def test_latency_is_shown_in_milliseconds_though_sagemaker_publishes_microseconds(
    deployment: Deployment,
) -> None:
    body = json.loads(deployment.one("AWS::CloudWatch::Dashboard").properties["DashboardBody"])
    (latency,) = (w["properties"] for w in body["widgets"] if w["properties"].get("title") == "Model latency")
    assert latency["yAxis"]["left"]["label"] == "milliseconds"
    (first, *_) = (row[0]["expression"] for row in latency["metrics"] if len(row) == 1)
    assert parse(first, frozenset({"p50"})).value({"p50": 250_000.0}) == 250
    assert [line["value"] for line in latency["annotations"]["horizontal"]] == [250]


@pytest.mark.parametrize(
    ("new", "old", "shift"),
    [
        ((30.0, 100), (20.0, 100), 0.5),
        ((10.0, 100), (20.0, 100), 0.5),
        ((20.0, 100), (20.0, 100), 0.0),
        ((30.0, 29), (20.0, 100), 0.0),
        ((30.0, 100), (20.0, 29), 0.0),
        ((30.0, 100), (0.0, 100), None),
    ],
)
def test_the_shift_is_that_of_the_means_and_no_verdict_is_given_on_few_rows(
    prod: Deployment, new: tuple[float, int], old: tuple[float, int], shift: float | None
) -> None:
    queries = prod.one("AWS::CloudWatch::Alarm", "RollbackShift").properties["Metrics"]
    (expression,) = (query["Expression"] for query in queries if "Expression" in query)
    ids = frozenset(query["Id"] for query in queries if "MetricStat" in query)
    sums = {"new_sum": new[0], "new_rows": float(new[1])}
    sums |= {"old_sum": old[0], "old_rows": float(old[1])}
    assert parse(expression, ids).value(sums) == pytest.approx(shift)


def test_no_alarm_asks_for_a_unit_that_nobody_publishes(deployment: Deployment) -> None:
    for alarm in deployment.of_type("AWS::CloudWatch::Alarm"):
        unit = alarm.properties.get("Unit")
        assert unit in (None, METRIC_UNITS.get(alarm.properties.get("MetricName"))), alarm.logical_id


def test_a_full_day_publishes_every_metric_with_its_unit_and_its_one_dimension(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []

    class CloudWatch:
        def put_metric_data(self, **request: Any) -> None:
            sent.append(request)

    monkeypatch.setattr(aws, "client", lambda service: {"cloudwatch": CloudWatch()}[service])
    environment = deployment.function("check_drift").properties["Environment"]["Variables"]
    window = LossWindow("arn:package/7", days=14, rows=9000, loss=0.5, heldout_loss=0.4)
    evidence = LossEvidence(0.5, 18.0, 365.0, windows=9, reference_windows=59, since="2013-04-15")
    effects = (Effect("dep_delay", 0.1, 0.1, 0.2),)
    changed = (TrafficEvidence("features", 0.2, 732.0, 9, 59, ()),)
    values = metrics(window, evidence, Traffic("2013-04-19", 100, 1, effects, (), changed))
    now = datetime(2013, 4, 20, 13, tzinfo=UTC)
    check_drift._publish(CheckDriftSettings.from_env(environment), values, now)
    (request,) = sent
    assert request["Namespace"] == METRIC_NAMESPACE
    assert {d["MetricName"]: d["Unit"] for d in request["MetricData"]} == METRIC_UNITS
    dimension = {"Name": DEPLOYMENT_DIMENSION, "Value": environment["DEPLOYMENT"]}
    assert [d["Dimensions"] for d in request["MetricData"]] == [[dimension]] * len(METRIC_UNITS)
