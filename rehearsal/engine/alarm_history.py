"""The history of alarms: each change of state with its reason, as DescribeAlarmHistory tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rehearsal.engine.moto_seams.cloudwatch import AlarmState, MetricAlarm

STATE_UPDATE = "StateUpdate"
MOST_RECORDS = 100


def item(alarm: MetricAlarm, state: AlarmState, now: datetime) -> dict[str, Any]:
    """An alarm's change from the state that it has to this one."""
    data = {"version": "1.0", "oldState": _told(alarm.state), "newState": _told(state)}
    return {
        "AlarmName": alarm.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": now,
        "HistoryItemType": STATE_UPDATE,
        "HistorySummary": f"Alarm updated from {alarm.state.value} to {state.value}",
        "HistoryData": json.dumps(data),
    }


def _told(state: AlarmState) -> dict[str, Any]:
    told: dict[str, Any] = {"stateValue": state.value, "stateReason": state.reason}
    return told | ({"stateReasonData": json.loads(state.reason_data)} if state.reason_data else {})


def selected(history: Iterable[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """What a request asks for of a history that is oldest first; a page at a time."""
    found = [one for one in history if _is_wanted(one, request)]
    if request.get("ScanBy") != "TimestampAscending":
        found.reverse()
    begin = int(request.get("NextToken") or 0)
    end = begin + int(request.get("MaxRecords") or MOST_RECORDS)
    page: dict[str, Any] = {"AlarmHistoryItems": found[begin:end]}
    return page | ({"NextToken": str(end)} if end < len(found) else {})


def _is_wanted(one: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return (
        request.get("AlarmName") in (None, one["AlarmName"])
        and request.get("HistoryItemType") in (None, one["HistoryItemType"])
        and (not request.get("StartDate") or one["Timestamp"] >= request["StartDate"])
        and (not request.get("EndDate") or one["Timestamp"] <= request["EndDate"])
    )
