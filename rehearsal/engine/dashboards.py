"""What a deployed CloudWatch dashboard shows: lines with percentiles and metric math, log queries, states of alarms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rehearsal.engine import alarms, log_queries, metric_math
from rehearsal.engine.account import Unsupported
from rehearsal.engine.log_queries import Table
from rehearsal.engine.metric_data import Series
from rehearsal.engine.moto_seams.cloudwatch import SeriesKey

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

EPOCH = datetime.fromtimestamp(0, UTC)
PERIOD_SECONDS = 300
"""Where neither the line nor its graph says another."""


@dataclass(frozen=True)
class Metric:
    """One metric of a graph, as the dashboard's body names it."""

    id: str
    key: SeriesKey
    statistic: str
    period_seconds: int
    is_shown: bool
    label: str


@dataclass(frozen=True)
class Line:
    """What a graph shows of one metric or expression."""

    graph: str
    what: str
    namespace: str
    label: str
    period_seconds: int
    points: Mapping[datetime, float]
    """By the start of each period with data."""

    @property
    def value(self) -> float | None:
        """Of the last period with data, None without any."""
        return next(reversed(list(self.points.values())), None)


@dataclass(frozen=True)
class Panel:
    """One widget: where it lies on the grid of 24 columns, its properties as deployed, and what it shows."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    properties: Mapping[str, Any]
    lines: tuple[Line, ...] = ()
    table: Table | None = None
    states: tuple[tuple[str, str], ...] = ()
    """Of an alarm widget: each alarm's name and state."""


@dataclass(frozen=True)
class Wall:
    """A whole dashboard over [start, end]."""

    name: str
    start: datetime
    end: datetime
    panels: tuple[Panel, ...]


def wall(account: Account, name: str) -> Wall | None:
    """What the dashboard shows now, from its own `start` on; None if there is none of that name.

    Raises Unsupported for what is not built.
    """
    client = account.client("cloudwatch")
    listed = client.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
    if name not in (one["DashboardName"] for one in listed):
        return None
    body = _body(account, name)
    since, published = _since(account, body), alarms.published(account)
    panels = tuple(_panel(account, widget, since, published) for widget in body["widgets"])
    return Wall(name, since, account.clock.now(), panels)


def lines(account: Account, name: str) -> list[Line]:
    """Every line of every graph, over all time. Raises Unsupported for what a body says in a form that is not built."""
    published = alarms.published(account)
    graphs = [one["properties"] for one in _body(account, name)["widgets"] if one["type"] == "metric"]
    return [line for graph in graphs if "metrics" in graph for line in _lines(graph, published)]


def tables(account: Account, name: str) -> dict[str, Table]:
    """What every log query finds, over all time, by the title of its widget."""
    queries = [one["properties"] for one in _body(account, name)["widgets"] if one["type"] == "log"]
    return {one["title"]: log_queries.run(account, one["query"], since=EPOCH) for one in queries}


def _body(account: Account, name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        account.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    )
    return body


def _since(account: Account, body: Mapping[str, Any]) -> datetime:
    """A dashboard that names no start shows three hours."""
    days = re.fullmatch(r"-P(\d+)D", body.get("start", ""))
    if "start" in body and not days:
        raise Unsupported(f"a dashboard's start {body['start']!r}: only whole days, such as -P28D, are built")
    return account.clock.now() - (timedelta(days=int(days[1])) if days else timedelta(hours=3))


def _panel(
    account: Account, widget: Mapping[str, Any], since: datetime, published: Mapping[SeriesKey, Series]
) -> Panel:
    kind, properties = widget["type"], widget["properties"]
    panel = Panel(kind, widget["x"], widget["y"], widget["width"], widget["height"], properties)
    if kind == "metric" and "metrics" in properties:
        return replace(panel, lines=tuple(_lines(properties, published, since)))
    if kind == "log":
        return replace(panel, table=log_queries.run(account, properties["query"], since=since))
    if kind == "alarm":
        return replace(panel, states=_states(account, properties["alarms"]))
    return panel


def _states(account: Account, arns: Sequence[str]) -> tuple[tuple[str, str], ...]:
    pages = account.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = {one["AlarmArn"]: one["StateValue"] for page in pages for one in page["MetricAlarms"]}
    return tuple((arn.split(":", 6)[6], found.get(arn, "there is none")) for arn in arns)


def _lines(
    graph: Mapping[str, Any], published: Mapping[SeriesKey, Series], since: datetime | None = None
) -> Iterator[Line]:
    title, period = graph.get("title", ""), graph.get("period", PERIOD_SECONDS)
    rows = [(row[:-1], row[-1]) if isinstance(row[-1], dict) else (row, {}) for row in graph["metrics"]]
    metrics = [_metric(named, options, graph) for named, options in rows if named]
    for metric in metrics:
        if metric.is_shown:
            points = _values(metric, published, metric.period_seconds, since)
            said = f"{_said(metric.key)} {metric.statistic}"
            yield Line(
                title, said, metric.key.namespace, metric.label, metric.period_seconds, _present(points)
            )
    for options in (options for named, options in rows if not named):
        seconds, expression = options.get("period", period), options["expression"]
        points = _computed(options, metrics, published, seconds, since)
        label = str(options.get("label", expression))
        yield Line(title, expression, "", label, seconds, _present(points))


def _present(points: Mapping[datetime, float | None]) -> dict[datetime, float]:
    return {at: value for at, value in points.items() if value is not None}


def _metric(named: Sequence[str], options: Mapping[str, Any], graph: Mapping[str, Any]) -> Metric:
    if set(named) & {".", "..."}:
        raise Unsupported(
            f"a dashboard's row {list(named)}: write namespace, name and dimensions in full; the local account does "
            "not fill in the row above. Build it in rehearsal/engine/dashboards.py."
        )
    namespace, name, *pairs = named
    return Metric(
        options.get("id", ""),
        SeriesKey(namespace, name, frozenset(zip(pairs[::2], pairs[1::2], strict=True))),
        options.get("stat", graph.get("stat", "Average")),
        options.get("period", graph.get("period", PERIOD_SECONDS)),
        options.get("visible", True),
        options.get("label", name),
    )


def _computed(
    options: Mapping[str, Any],
    metrics: Sequence[Metric],
    published: Mapping[SeriesKey, Series],
    period_seconds: int,
    since: datetime | None,
) -> dict[datetime, float | None]:
    named = {metric.id: metric for metric in metrics if metric.id}
    try:
        expression = metric_math.parse(options["expression"], frozenset(named))
    except metric_math.NotBuilt as error:
        raise Unsupported(f"a dashboard's expression: {error}") from error
    found = {one: _values(metric, published, period_seconds, since) for one, metric in named.items()}
    periods = sorted({start for values in found.values() for start in values})
    return {
        start: expression.value({one: values.get(start) for one, values in found.items()})
        for start in periods
    }


def _values(
    metric: Metric, published: Mapping[SeriesKey, Series], period_seconds: int, since: datetime | None
) -> dict[datetime, float | None]:
    """By the start of each period in which there is a datum."""
    series, period = published.get(metric.key, Series()), timedelta(seconds=period_seconds)
    first = since.timestamp() if since else 0
    starts = {minute // period_seconds * period_seconds for minute in series.minutes if minute >= first}
    times = [datetime.fromtimestamp(start, UTC) for start in sorted(starts)]
    return {time: series.between(time, time + period, None).statistic(metric.statistic) for time in times}


def _said(key: SeriesKey) -> str:
    return f"{key.namespace}/{key.name} {dict(sorted(key.dimensions))}"
