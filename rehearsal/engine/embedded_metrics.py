"""Embedded metric format: log lines that CloudWatch Logs turns into metrics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from rehearsal.engine.account import Account
from rehearsal.engine.moto_seams import cloudwatch as seam

MOST_VALUES = 100


class Malformed(Exception):
    """A line that CloudWatch would not turn into metrics."""


def publish(account: Account, group: str, lines: Iterable[str], *, at: datetime | None = None) -> None:
    """Publish the metrics in these lines: at their own Timestamp, or at `at` where that clock is not to be trusted."""
    for line in lines:
        if '"_aws"' not in line:
            continue
        try:
            for namespace, data in list(_metrics(_parsed(line), at)):
                seam.publish(account, namespace, data)
        except Malformed as malformed:
            account.journal.write("note", what=f"an embedded metric in {group} was dropped: {malformed}")


def _parsed(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError as error:
        raise Malformed(f"the line is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("_aws"), dict):
        raise Malformed("the line has no object _aws at its root")
    return document


def _metrics(document: dict[str, Any], at: datetime | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each directive's data by namespace: every metric under every set of dimensions."""
    metadata = document["_aws"]
    time = at or datetime.fromtimestamp(_member(metadata, "Timestamp") / 1000, UTC)
    for directive in _member(metadata, "CloudWatchMetrics"):
        data = [
            _datum(document, metric, keys, time)
            for keys in _member(directive, "Dimensions")
            for metric in _member(directive, "Metrics")
        ]
        yield _member(directive, "Namespace"), data


def _datum(
    document: dict[str, Any], metric: dict[str, Any], keys: list[str], time: datetime
) -> dict[str, Any]:
    name = _member(metric, "Name")
    given = _member(document, name)
    values = given if isinstance(given, list) else [given]
    if not 1 <= len(values) <= MOST_VALUES or not all(_is_number(value) for value in values):
        raise Malformed(f"{name} must be a number or 1 to {MOST_VALUES} numbers, got {given!r}")
    return {
        "MetricName": name,
        "Timestamp": time,
        "Unit": metric.get("Unit", "None"),
        "Values": values,
        "Dimensions": [{"Name": key, "Value": str(_member(document, key))} for key in keys],
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _member(of: dict[str, Any], name: str) -> Any:
    if name not in of:
        raise Malformed(f"{name} is missing")
    return of[name]
