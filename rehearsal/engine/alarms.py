"""Amazon CloudWatch alarms: evaluates them as the clock moves, and tells EventBridge and SNS of each change."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine import alarm_history
from rehearsal.engine.account import Unsupported
from rehearsal.engine.alarm_messages import configuration, message, region_name, state_detail
from rehearsal.engine.alarm_rules import Datapoint, evaluation_range, judge
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Access
from rehearsal.engine.metric_data import MetricIndex, Series
from rehearsal.engine.moto_seams import alarm_history as history_seam
from rehearsal.engine.moto_seams import cloudwatch as seam
from rehearsal.engine.moto_seams.cloudwatch import AlarmState, Datum, MetricAlarm, MetricInput, SeriesKey

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "cloudwatch.amazonaws.com"
DAY_SECONDS = 86_400


@dataclass
class Evaluation:
    """Of which configuration, state and data an alarm was last evaluated."""

    configured_at: datetime
    state: str
    published: int
    read: int
    """How much of all data was looked at to know that nothing else was published."""
    due: datetime | None
    """When the passing of time alone can next change what the alarm comes to."""


@dataclass
class Watch:
    """The metric data read so far, the last evaluation of each alarm, and every change of a state."""

    index: MetricIndex = field(default_factory=MetricIndex)
    last: dict[str, Evaluation] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


_watches: WeakKeyDictionary[Account, Watch] = WeakKeyDictionary()


def install(account: Account) -> None:
    def refuse(name: str, feature: str) -> None:
        what = f"the alarm {name} uses {feature}. Build it in rehearsal/engine/alarm_rules.py."
        account.journal.write("unsupported", what=what)
        raise Unsupported(what)

    def on_set_state(before: MetricAlarm, after: MetricAlarm) -> None:
        if before.state.value != after.state.value:
            account.defer(f"alarm {after.name}", lambda: _announce(account, before, after.state, None))

    _watches[account] = Watch()
    seam.install(account, on_set_state, refuse)
    history_seam.answer(account, partial(alarm_history.selected, _watches[account].history))


def evaluate(account: Account) -> None:
    """Evaluate every alarm on the metric data of the whole periods before now."""
    watch, now = _refreshed(account), account.clock.now()
    for alarm in seam.alarms(account):
        last = _last(watch, alarm)
        if last and last.state == alarm.state.value and (not last.due or now < last.due):
            continue  # nothing was published, configured or set, and time has not moved a datum on
        watch.last[alarm.name] = Evaluation(
            alarm.configured_at,
            alarm.state.value,
            _published(watch, alarm),
            watch.index.read,
            _next_move(watch, alarm, now),
        )
        verdict = judge(alarm, _datapoints(watch, alarm, now), now)
        if verdict and verdict.state != alarm.state.value:
            state = AlarmState(verdict.state, verdict.reason, verdict.reason_data, now)
            seam.set_state(account, alarm.name, state)
            _announce(account, alarm, state, verdict.value)


def _last(watch: Watch, alarm: MetricAlarm) -> Evaluation | None:
    """The last evaluation, unless something was published or configured since."""
    last = watch.last.get(alarm.name)
    if last is None or last.configured_at != alarm.configured_at:
        return None
    if last.read != watch.index.read:
        if last.published != _published(watch, alarm):
            return None
        last.read = watch.index.read
    return last


def next_change(account: Account) -> datetime | None:
    """The next minute at which an evaluation can come out differently, if nothing else happens."""
    watch, now = _refreshed(account), account.clock.now()
    times = [_next_change(watch, alarm, now) for alarm in seam.alarms(account)]
    return min((time for time in times if time), default=None)


def published(account: Account) -> Mapping[SeriesKey, Series]:
    """Every metric that got a datum so far."""
    return _refreshed(account).index.series


def imagined(alarm: MetricAlarm, data: list[Datum], instants: Iterable[datetime]) -> Iterator[str]:
    """The state at each of these instants of an alarm that is OK before, if only these data were published."""
    watch, state = Watch(), "OK"
    watch.index.add(data)
    for instant in instants:
        verdict = judge(alarm, _datapoints(watch, alarm, instant), instant)
        state = verdict.state if verdict else state
        yield state


def diagnose(account: Account) -> list[dict[str, Any]]:
    """For each alarm, how many data its metric ever got; where none, the published metrics of the same name."""
    series = published(account)
    return [_diagnosed(series, alarm) for alarm in seam.alarms(account)]


def _diagnosed(series: Mapping[SeriesKey, Series], alarm: MetricAlarm) -> dict[str, Any]:
    """Of metric math the first metric without data tells."""
    counts = {}
    for metric in alarm.inputs:
        own = series.get(metric.key)
        matches = own is not None and (metric.unit is None or metric.unit in own.units())
        counts[metric] = own.published if own and matches else 0
    finding: dict[str, Any] = {"alarm": alarm.name, "datapoints": min(counts.values())}
    for metric in [metric for metric, count in counts.items() if not count][:1]:
        named = [(key, found) for key, found in series.items() if key.name == metric.key.name]
        named.sort(key=lambda item: (-len(item[0].dimensions & metric.key.dimensions), item[0].namespace))
        finding["wanted"] = _described(metric.key, {metric.unit} if metric.unit else set())
        finding["nearest"] = [_described(key, found.units()) for key, found in named]
    return finding


def _described(key: SeriesKey, units: set[str]) -> dict[str, Any]:
    dimensions = dict(sorted(key.dimensions))
    return {"namespace": key.namespace, "name": key.name, "dimensions": dimensions, "units": sorted(units)}


def _refreshed(account: Account) -> Watch:
    watch = _watches[account]
    watch.index.add(seam.metric_data(account, watch.index.read))
    return watch


def _step(alarm: MetricAlarm) -> timedelta:
    """How often AWS evaluates: each minute, or each hour where the evaluation covers more than a day."""
    hourly = alarm.period_seconds * alarm.evaluation_periods > DAY_SECONDS
    return timedelta(hours=1) if hourly else timedelta(minutes=1)


def _floor(time: datetime, step: timedelta) -> datetime:
    return time - (time - datetime(1970, 1, 1, tzinfo=UTC)) % step


def _series(watch: Watch, alarm: MetricAlarm) -> list[tuple[MetricInput, Series]]:
    return [(metric, watch.index.series.get(metric.key, Series())) for metric in alarm.inputs]


def _published(watch: Watch, alarm: MetricAlarm) -> int:
    return sum(series.published for _, series in _series(watch, alarm))


def _datapoints(watch: Watch, alarm: MetricAlarm, now: datetime) -> list[Datapoint]:
    """The evaluation range, oldest first: periods end at the last whole minute, not at round hours."""
    end, period = _floor(now, _step(alarm)), timedelta(seconds=alarm.period_seconds)
    starts = [end - period * count for count in range(evaluation_range(alarm), 0, -1)]
    return [_datapoint(watch, alarm, start, start + period) for start in starts]


def _datapoint(watch: Watch, alarm: MetricAlarm, start: datetime, end: datetime) -> Datapoint:
    found = {metric: series.between(start, end, metric.unit) for metric, series in _series(watch, alarm)}
    values = {metric.id: bucket.statistic(metric.statistic) for metric, bucket in found.items()}
    if alarm.math:
        return Datapoint(start, alarm.math.expression.value(values))
    (bucket,) = found.values()
    return Datapoint(start, bucket.statistic(alarm.statistic), bucket.sample_count)


def _next_change(watch: Watch, alarm: MetricAlarm, now: datetime) -> datetime | None:
    last, step = _last(watch, alarm), _step(alarm)
    if last is None:
        return _floor(now, step) + step
    return last.due if not last.due or now < last.due else _next_move(watch, alarm, now)


def _next_move(watch: Watch, alarm: MetricAlarm, now: datetime) -> datetime | None:
    """When a datum next enters, changes or leaves the periods that are evaluated."""
    step, period = _step(alarm), timedelta(seconds=alarm.period_seconds)
    # a datum enters the newest period, then slides from one to the next
    moves = range(evaluation_range(alarm) + 1)
    changes = [
        _floor(minute + period * count, step) + step
        for _, series in _series(watch, alarm)
        for minute in series.recent_minutes(now - period * len(moves) - step)
        for count in moves
    ]
    return min((change for change in changes if change > now), default=None)


def _announce(account: Account, alarm: MetricAlarm, state: AlarmState, value: float | None) -> None:
    """Journal the change, send the event, run the actions; `alarm` still has the state before."""
    facts = {"old": alarm.state.value, "new": state.value, "reason": state.reason, "value": value}
    account.journal.write("alarm", alarm=alarm.name, **facts)
    _watches[account].history.append(alarm_history.item(alarm, state, account.clock.now()))
    detail = {
        "alarmName": alarm.name,
        "state": state_detail(state),
        "previousState": state_detail(alarm.state),
        "configuration": configuration(alarm),
    }
    account.put_event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.arn])
    for action in alarm.actions[state.value]:
        _act(account, action, alarm, state)


def _act(account: Account, action: str, alarm: MetricAlarm, state: AlarmState) -> None:
    """Publish to the topic, if its policy and its key's let CloudWatch; no event on the bus depends on it."""
    if action.split(":")[2] != "sns":
        raise Unsupported(
            f"the action {action} of the alarm {alarm.name}: build it in rehearsal/engine/alarms.py."
        )
    sns = account.client("sns")
    try:
        sns.get_topic_attributes(TopicArn=action)
        cloudwatch = enforcement.service(account, SERVICE)
        denial = enforcement.denial(account, cloudwatch, Access("sns:Publish", action), source_arn=alarm.arn)
        error = denial.message if denial else None
    except sns.exceptions.NotFoundException:
        error = f"the topic {action} does not exist"
    if error is None:
        region = region_name(account.region)
        subject = f'{state.value}: "{alarm.name}" in {region}'[:100]
        sns.publish(
            TopicArn=action, Subject=subject, Message=json.dumps(message(account, region, alarm, state))
        )
    facts = {"rule": alarm.name, "target": action, "ok": error is None}
    account.journal.write("delivery", **facts, **({"error": error} if error else {}))
