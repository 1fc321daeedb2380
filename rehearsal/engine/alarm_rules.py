"""CloudWatch's documented rules: which state the datapoints of an alarm give, and the words AWS gives as its reason."""

from __future__ import annotations

import json
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rehearsal.engine.moto_seams.cloudwatch import MetricAlarm

EXTRA_DATAPOINTS = (
    2  # documented by example: an alarm of 3 evaluation periods looks at the 5 most recent ones
)
COMPARISONS = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@dataclass(frozen=True)
class Datapoint:
    """One period of the evaluation range; no value means that it is missing."""

    time: datetime
    value: float | None
    sample_count: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """A state, and of what; the words are made when somebody asks, for most verdicts change nothing."""

    state: str
    alarm: MetricAlarm
    datapoints: Sequence[Datapoint]
    real: Sequence[Datapoint]
    now: datetime

    @property
    def value(self) -> float | None:
        return self.real[-1].value if self.real else None

    @property
    def reason(self) -> str:
        return _reason(self.alarm, self.state, self.real)

    @property
    def reason_data(self) -> str:
        return _reason_data(self.alarm, self.datapoints, self.real, self.now)


def evaluation_range(alarm: MetricAlarm) -> int:
    return alarm.evaluation_periods + EXTRA_DATAPOINTS


def judge(alarm: MetricAlarm, datapoints: Sequence[Datapoint], now: datetime) -> Verdict | None:
    """The state that these datapoints give (oldest first), or None to keep the current one."""
    real = [point for point in datapoints if point.value is not None][-alarm.evaluation_periods :]
    state = _state(alarm, datapoints, real)
    return Verdict(state, alarm, datapoints, real, now) if state else None


def _breaches(alarm: MetricAlarm, point: Datapoint) -> bool:
    compare, _ = COMPARISONS[alarm.comparison_operator]
    return point.value is not None and bool(compare(point.value, alarm.threshold))


def _state(alarm: MetricAlarm, datapoints: Sequence[Datapoint], real: Sequence[Datapoint]) -> str | None:
    """The tables of "Configuring how CloudWatch alarms treat missing data", row by row."""
    needed = alarm.datapoints_to_alarm or alarm.evaluation_periods
    missing = alarm.evaluation_periods - len(real)
    breaching = sum(_breaches(alarm, point) for point in real)
    treatment = alarm.treat_missing_data
    if missing and treatment == "breaching":
        breaching += missing
    if breaching >= needed:
        return "ALARM"
    if not missing or treatment in ("breaching", "notBreaching") or breaching < len(real):
        return "OK"
    if treatment == "ignore":
        return None
    # All that is there breaches, and it is too little: a premature alarm only if the oldest is old enough.
    age = len(datapoints) - datapoints.index(real[0]) if real else 0
    return "ALARM" if age >= needed else "INSUFFICIENT_DATA"


def _reason(alarm: MetricAlarm, state: str, real: Sequence[Datapoint]) -> str:
    periods = alarm.evaluation_periods
    missing = periods - len(real)
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_were(missing, 'datapoint')} unknown."
    telling = [point for point in reversed(real) if _breaches(alarm, point) == (state == "ALARM")]
    filled = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(alarm.treat_missing_data)
    tail = f" and {_were(missing, 'missing datapoint')} treated as [{filled}]" if missing and filled else ""
    if not telling:
        received = _were(len(real), "datapoint") if real else "no datapoints were"
        return f"Threshold Crossed: {received} received for {_count(periods, 'period')}{tail}."
    words = COMPARISONS[alarm.comparison_operator][1]
    verb = ("was" if len(telling) == 1 else "were") + ("" if state == "ALARM" else " not")
    listed = ", ".join(f"{point.value} ({point.time:%d/%m/%y %H:%M:%S})" for point in telling)
    if missing or alarm.datapoints_to_alarm is None:
        head = f"{_count(len(telling), 'datapoint')} [{listed}] {verb}"
        return f"Threshold Crossed: {head} {words} the threshold ({alarm.threshold}){tail}."
    transition, minimum = ("OK -> ALARM", alarm.datapoints_to_alarm)
    if state == "OK":
        transition, minimum = "ALARM -> OK", periods - alarm.datapoints_to_alarm + 1
    return (
        f"Threshold Crossed: {len(telling)} out of the last {periods} datapoints [{listed}] {verb} {words} the "
        f"threshold ({alarm.threshold}) (minimum {_count(minimum, 'datapoint')} for {transition} transition)."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _were(number: int, noun: str) -> str:
    return f"{_count(number, noun)} {'was' if number == 1 else 'were'}"


def _reason_data(
    alarm: MetricAlarm, datapoints: Sequence[Datapoint], real: Sequence[Datapoint], now: datetime
) -> str:
    data: dict[str, object] = {"version": "1.0", "queryDate": aws_time(now)}
    if real:
        data["startDate"] = aws_time(real[0].time)
    if alarm.unit and not alarm.math:
        data["unit"] = alarm.unit
    evaluated = real or datapoints[-alarm.evaluation_periods :]
    if not alarm.math:
        data["statistic"] = alarm.statistic
    data |= {
        "period": alarm.period_seconds,
        "recentDatapoints": [point.value for point in real],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [
            {"timestamp": aws_time(point.time)}
            | ({} if alarm.math or point.value is None else {"sampleCount": point.sample_count})
            | ({} if point.value is None else {"value": point.value})
            for point in reversed(evaluated)
        ],
    }
    return json.dumps(data, separators=(",", ":"))


def aws_time(time: datetime) -> str:
    """As CloudWatch writes times in alarm events: milliseconds and +0000."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}+0000"
