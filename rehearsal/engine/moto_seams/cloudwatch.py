"""Private touches on moto's CloudWatch: alarms as configured, their state, and the metric data as it was put."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from moto.cloudwatch.models import (
    Alarm,
    CloudWatchBackend,
    MetricAggregatedDatum,
    MetricDataQuery,
    MetricStat,
    cloudwatch_backends,
)

from rehearsal.engine import metric_math
from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Dimensions = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class SeriesKey:
    """What identifies a metric: every dimension counts."""

    namespace: str
    name: str
    dimensions: Dimensions


@dataclass(frozen=True)
class Datum:
    """One value, or one statistic set, as PutMetricData brought it."""

    key: SeriesKey
    unit: str
    time: datetime
    sample_count: float
    total: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class AlarmState:
    value: str
    reason: str
    reason_data: str
    time: datetime


@dataclass(frozen=True)
class MetricInput:
    """A metric that an alarm reads, and the id under which metric math knows it."""

    id: str
    key: SeriesKey
    statistic: str
    unit: str | None


@dataclass(frozen=True)
class MetricMath:
    """What an alarm computes of several metrics."""

    id: str
    expression: metric_math.Expression
    inputs: tuple[MetricInput, ...]


@dataclass(frozen=True)
class MetricAlarm:
    """A deployed metric alarm, in AWS's own terms; with `math`, key, statistic and unit are its first metric's."""

    name: str
    arn: str
    description: str
    key: SeriesKey
    statistic: str
    period_seconds: int
    unit: str | None
    threshold: float
    comparison_operator: str
    evaluation_periods: int
    datapoints_to_alarm: int | None
    treat_missing_data: str
    actions: Mapping[str, tuple[str, ...]]  # by state; empty while actions are disabled
    configured_at: datetime
    state: AlarmState
    math: MetricMath | None = None

    @property
    def inputs(self) -> tuple[MetricInput, ...]:
        if self.math:
            return self.math.inputs
        return (MetricInput("m1", self.key, self.statistic, self.unit),)


def alarms(account: Account) -> list[MetricAlarm]:
    return [_facts(alarm) for alarm in list(cloudwatch_backends[account.id][account.region].alarms.values())]


def set_state(account: Account, name: str, state: AlarmState) -> None:
    alarm = cloudwatch_backends[account.id][account.region].alarms[name]
    alarm.update_state(state.reason, state.reason_data, state.value)


def metric_data(account: Account, start: int) -> list[Datum]:
    """What was put since position `start`, in order."""
    return [_datum(datum) for datum in cloudwatch_backends[account.id][account.region].metric_data[start:]]


def publish(account: Account, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
    """What a service of AWS publishes itself: PutMetricData's members, without a request."""
    naive = [
        {**datum, **({"Timestamp": time.astimezone(UTC).replace(tzinfo=None)} if time else {})}
        for datum in data
        for time in [datum.get("Timestamp")]
    ]  # moto keeps times without a zone
    cloudwatch_backends[account.id][account.region].put_metric_data(namespace, naive)


def install(
    account: Account,
    on_set_state: Callable[[MetricAlarm, MetricAlarm], None],
    refuse: Callable[[str, str], None],
) -> None:
    """Tell `on_set_state` each alarm before and after SetAlarmState; name what cannot be evaluated to `refuse`."""

    def put_metric_alarm(backend: CloudWatchBackend, name: str, **properties: Any) -> Alarm:
        feature = _unbuilt(properties)
        if feature:
            refuse(name, feature)
        before = backend.alarms.get(name)
        alarm: Alarm = original_put(backend, name=name, **properties)
        alarm.state_value = "INSUFFICIENT_DATA"  # moto says OK
        if before:  # documented: an update leaves the state unchanged
            for fact in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
                setattr(alarm, fact, getattr(before, fact))
        return alarm

    def set_alarm_state(
        backend: CloudWatchBackend, alarm_name: str, reason: str, reason_data: str, state_value: str
    ) -> None:
        before = _facts(backend.alarms[alarm_name]) if alarm_name in backend.alarms else None
        original_set(backend, alarm_name, reason, reason_data, state_value)
        if before:
            on_set_state(before, _facts(backend.alarms[alarm_name]))

    def get_metric_statistics(
        backend: CloudWatchBackend, *query: Any, dimensions: list[dict[str, str]], unit: str | None
    ) -> Any:
        """Dimensions identify a metric; moto would add up all metrics that have at least these."""
        wanted = frozenset((item["Name"], item["Value"]) for item in dimensions)
        data = [datum for datum in backend.get_all_metrics() if _dimensions(datum.dimensions) == wanted]
        exact = SimpleNamespace(get_all_metrics=lambda: data)
        return original_get(exact, *query, dimensions=[], unit=unit)

    original_get = replace(account, CloudWatchBackend, "get_metric_statistics", get_metric_statistics)
    original_put = replace(account, CloudWatchBackend, "put_metric_alarm", put_metric_alarm)
    original_set = replace(account, CloudWatchBackend, "set_alarm_state", set_alarm_state)


def _unbuilt(properties: Mapping[str, Any]) -> str | None:
    queries = properties.get("metric_data_queries") or []
    periods = [
        properties.get("period"),
        *(query.metric_stat.period for query in queries if query.metric_stat),
    ]
    if properties.get("rule"):
        return "AlarmRule (a composite alarm)"
    if properties.get("threshold_metric_id"):
        return "ThresholdMetricId (anomaly detection)"
    if any(period and int(period) < 60 for period in periods):
        return "a period below 60 seconds"
    return _unbuilt_math(queries) if len(queries) > 1 else None


def _unbuilt_math(queries: Sequence[MetricDataQuery]) -> str | None:
    """Metric math is built for one expression, which is the alarm's, over metrics of one period."""
    expressions = [query for query in queries if query.expression]
    if len(expressions) != 1:
        return f"{len(expressions)} metric math expressions; one is built"
    returning = [query.id for query in queries if str(query.return_data).lower() != "false"]
    if returning != [expressions[0].id]:
        return f"ReturnData of {', '.join(returning) or 'no metric'}; it is built for the expression alone"
    stats = [query for query in queries if query.metric_stat]
    if len({int(query.metric_stat.period) for query in stats if query.metric_stat}) != 1:
        return "metric math over metrics of different periods"
    try:
        metric_math.parse(str(expressions[0].expression), frozenset(query.id for query in stats))
    except metric_math.NotBuilt as error:
        return str(error)
    return None


def _math(queries: Sequence[MetricDataQuery]) -> MetricMath | None:
    expression = next((query for query in queries if query.expression), None)
    if expression is None:
        return None
    inputs = tuple(_input(query.id, query.metric_stat) for query in queries if query.metric_stat)
    ids = frozenset(metric.id for metric in inputs)
    return MetricMath(expression.id, metric_math.parse(str(expression.expression), ids), inputs)


def _input(query_id: str, stat: MetricStat) -> MetricInput:
    metric = stat.metric
    key = SeriesKey(metric.namespace, metric.metric_name, _dimensions(metric.dimensions))
    return MetricInput(query_id, key, stat.stat, stat.unit or None)


_read: WeakKeyDictionary[Alarm, tuple[tuple[Any, ...], MetricAlarm]] = WeakKeyDictionary()


def _facts(alarm: Alarm) -> MetricAlarm:
    """What is read of an alarm, anew only when moto has changed it: alarms are asked for at every step of the clock."""
    changing = (
        *(alarm.state_value, alarm.state_reason, alarm.state_reason_data, alarm.state_updated_timestamp),
        *(alarm.configuration_updated_timestamp, alarm.actions_enabled),
    )
    known = _read.get(alarm)
    if known is None or known[0] != changing:
        known = _read[alarm] = (changing, _read_facts(alarm))
    return known[1]


def _read_facts(alarm: Alarm) -> MetricAlarm:
    queries = alarm.metric_data_queries or []
    query = next((each.metric_stat for each in queries if each.metric_stat), None)
    metric = query.metric if query else alarm
    missing = "ignore" if metric.namespace == "AWS/DynamoDB" else "missing"
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    return MetricAlarm(
        name=alarm.name,
        arn=alarm.alarm_arn,
        description=alarm.description or "",
        key=SeriesKey(metric.namespace, metric.metric_name, _dimensions(metric.dimensions)),
        statistic=query.stat if query else alarm.statistic or alarm.extended_statistic or "Average",
        period_seconds=int(query.period if query else alarm.period),
        unit=(query.unit if query else alarm.unit) or None,
        threshold=float(alarm.threshold),
        comparison_operator=alarm.comparison_operator,
        evaluation_periods=int(alarm.evaluation_periods),
        datapoints_to_alarm=int(alarm.datapoints_to_alarm) if alarm.datapoints_to_alarm else None,
        treat_missing_data=alarm.treat_missing_data or missing,
        actions={
            state: tuple(arns or ()) if alarm.actions_enabled else () for state, arns in actions.items()
        },
        configured_at=_aware(alarm.configuration_updated_timestamp),
        state=AlarmState(
            alarm.state_value,
            alarm.state_reason,
            alarm.state_reason_data or "",
            _aware(alarm.state_updated_timestamp),
        ),
        math=_math(queries),
    )


def _datum(datum: Any) -> Datum:
    key = SeriesKey(datum.namespace, datum.name, _dimensions(datum.dimensions))
    common: tuple[SeriesKey, str, datetime] = (key, datum.unit or "None", _aware(datum.timestamp))
    if isinstance(datum, MetricAggregatedDatum):
        return Datum(*common, datum.sample_count, datum.sum, datum.min, datum.max)
    return Datum(*common, 1.0, datum.value, datum.value, datum.value)


def _dimensions(dimensions: Any) -> Dimensions:
    return frozenset((dimension.name, dimension.value) for dimension in dimensions)


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
