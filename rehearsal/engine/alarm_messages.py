"""How CloudWatch tells of an alarm's change: the event's detail and the SNS message."""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

from rehearsal.engine.alarm_rules import aws_time
from rehearsal.engine.moto_seams.cloudwatch import AlarmState, MetricAlarm, MetricInput, SeriesKey

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def state_detail(state: AlarmState) -> dict[str, str]:
    detail = {"value": state.value, "reason": state.reason, "timestamp": aws_time(state.time)}
    return detail | ({"reasonData": state.reason_data} if state.reason_data not in ("", "{}") else {})


def configuration(alarm: MetricAlarm) -> dict[str, Any]:
    """What the event says of the alarm."""
    described = {"description": alarm.description} if alarm.description else {}
    if alarm.math is None:
        query_id = str(uuid.uuid5(uuid.NAMESPACE_URL, alarm.arn))
        (metric,) = alarm.inputs
        return {"metrics": [{**_metric(alarm, metric), "id": query_id, "returnData": True}], **described}
    expression = {"id": alarm.math.id, "expression": alarm.math.expression.text, "returnData": True}
    return {"metrics": [expression, *(_metric(alarm, metric) for metric in alarm.inputs)], **described}


def _metric(alarm: MetricAlarm, metric: MetricInput) -> dict[str, Any]:
    stat: dict[str, Any] = {
        "metric": {
            "namespace": metric.key.namespace,
            "name": metric.key.name,
            "dimensions": dict(sorted(metric.key.dimensions)),
        },
        "period": alarm.period_seconds,
        "stat": metric.statistic,
    }
    if metric.unit:
        stat["unit"] = metric.unit
    return {"id": metric.id, "metricStat": stat, "returnData": False}


@cache
@cache
def region_name(region: str) -> str:
    partitions = (
        botocore.session.get_session().get_component("data_loader").load_data("endpoints")["partitions"]
    )
    return str(
        next(part["regions"][region]["description"] for part in partitions if region in part["regions"])
    )


def message(account: Account, region: str, alarm: MetricAlarm, state: AlarmState) -> dict[str, Any]:
    """What the topic gets."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description or None,
        "AWSAccountId": account.id,
        "AlarmConfigurationUpdatedTimestamp": aws_time(alarm.configured_at),
        "NewStateValue": state.value,
        "NewStateReason": state.reason,
        "StateChangeTime": aws_time(state.time),
        "Region": region,
        "AlarmArn": alarm.arn,
        "OldStateValue": alarm.state.value,
        "OKActions": alarm.actions["OK"],
        "AlarmActions": alarm.actions["ALARM"],
        "InsufficientDataActions": alarm.actions["INSUFFICIENT_DATA"],
        "Trigger": {
            **(_math_trigger(alarm) if alarm.math else _metric_trigger(alarm)),
            "Period": alarm.period_seconds,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data,
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def _metric_trigger(alarm: MetricAlarm) -> dict[str, Any]:
    extended = alarm.statistic.startswith("p")
    kind = "ExtendedStatistic" if extended else "Statistic"
    return {
        "MetricName": alarm.key.name,
        "Namespace": alarm.key.namespace,
        "StatisticType": kind,
        kind: alarm.statistic if extended else alarm.statistic.upper(),
        "Unit": alarm.unit,
        "Dimensions": _dimensions(alarm.key),
    }


def _math_trigger(alarm: MetricAlarm) -> dict[str, Any]:
    assert alarm.math
    expression = {"Id": alarm.math.id, "Expression": alarm.math.expression.text, "ReturnData": True}
    metrics = [
        {
            "Id": metric.id,
            "MetricStat": {
                "Metric": {
                    "Dimensions": _dimensions(metric.key),
                    "MetricName": metric.key.name,
                    "Namespace": metric.key.namespace,
                },
                "Period": alarm.period_seconds,
                "Stat": metric.statistic,
                **({"Unit": metric.unit} if metric.unit else {}),
            },
            "ReturnData": False,
        }
        for metric in alarm.inputs
    ]
    return {"Metrics": [expression, *metrics]}


def _dimensions(key: SeriesKey) -> list[dict[str, str]]:
    return [{"value": value, "name": name} for name, value in sorted(key.dimensions)]
