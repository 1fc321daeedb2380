"""Amazon CloudWatch dashboards: what each line of a deployed one would show, percentiles and metric math included."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rehearsal.engine import alarms, metric_math
from rehearsal.engine.account import Unsupported
from rehearsal.engine.metric_data import Series
from rehearsal.engine.moto_seams.cloudwatch import SeriesKey

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

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


@dataclass(frozen=True)
class Line:
    """What a graph shows of one metric or expression: the value of the last period with data, None without any."""

    graph: str
    what: str
    value: float | None


def lines(account: Account, name: str) -> list[Line]:
    """Every line of every graph. Raises Unsupported for what a body says in a form that is not built."""
    body = json.loads(account.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    published = alarms.published(account)
    graphs = [one["properties"] for one in body["widgets"] if one["type"] == "metric"]
    return [line for graph in graphs if "metrics" in graph for line in _lines(graph, published)]


def _lines(graph: Mapping[str, Any], published: Mapping[SeriesKey, Series]) -> Iterator[Line]:
    title, period = graph.get("title", ""), graph.get("period", PERIOD_SECONDS)
    rows = [(row[:-1], row[-1]) if isinstance(row[-1], dict) else (row, {}) for row in graph["metrics"]]
    metrics = [_metric(named, options, graph) for named, options in rows if named]
    for metric in metrics:
        if metric.is_shown:
            values = _values(metric, published, metric.period_seconds)
            yield Line(title, f"{_said(metric.key)} {metric.statistic}", _last(values))
    for options in (options for named, options in rows if not named):
        yield Line(title, options["expression"], _computed(options, metrics, published, period))


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
    )


def _computed(
    options: Mapping[str, Any],
    metrics: Sequence[Metric],
    published: Mapping[SeriesKey, Series],
    period_seconds: int,
) -> float | None:
    named = {metric.id: metric for metric in metrics if metric.id}
    try:
        expression = metric_math.parse(options["expression"], frozenset(named))
    except metric_math.NotBuilt as error:
        raise Unsupported(f"a dashboard's expression: {error}") from error
    found = {one: _values(metric, published, period_seconds) for one, metric in named.items()}
    periods = sorted({start for values in found.values() for start in values})
    values = {
        start: expression.value({one: values.get(start) for one, values in found.items()})
        for start in periods
    }
    return _last(values)


def _values(
    metric: Metric, published: Mapping[SeriesKey, Series], period_seconds: int
) -> dict[datetime, float | None]:
    """By the start of each period in which there is a datum."""
    series, period = published.get(metric.key, Series()), timedelta(seconds=period_seconds)
    starts = {minute // period_seconds * period_seconds for minute in series.minutes}
    times = [datetime.fromtimestamp(start, UTC) for start in sorted(starts)]
    return {time: series.between(time, time + period, None).statistic(metric.statistic) for time in times}


def _last(values: Mapping[datetime, float | None]) -> float | None:
    return next((value for value in reversed(list(values.values())) if value is not None), None)


def _said(key: SeriesKey) -> str:
    return f"{key.namespace}/{key.name} {dict(sorted(key.dimensions))}"
