"""CloudWatch metrics of one fleet of an endpoint, in namespace AWS/SageMaker, by the minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from rehearsal.engine.account import Account
from rehearsal.engine.moto_seams import cloudwatch as seam

VALUES_IN_A_DATUM = 150  # PutMetricData's limit


@dataclass
class Minute:
    """The invocations of one minute."""

    statuses: list[int] = field(default_factory=list)
    latencies_us: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    """Of each invocation one over the number of instances: InvocationsPerInstance, as SageMaker sends it."""


@dataclass
class EndpointMetrics:
    """Invocations are buffered; published for the variant, and for its configuration alone, when the clock moves."""

    account: Account
    endpoint: str
    variant: str
    config: str
    instances: Callable[[], int]
    """Of the fleet that takes traffic."""
    _minutes: dict[datetime, Minute] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)  # requests come on threads of their own

    def add(self, status: int, latency_us: float) -> None:
        now = self.account.clock.now().replace(second=0, microsecond=0)
        with self._lock:
            minute = self._minutes.setdefault(now, Minute())
            minute.statuses.append(status)
            minute.latencies_us.append(latency_us)
            minute.shares.append(1 / max(1, self.instances()))

    def publish(self) -> None:
        with self._lock:
            minutes, self._minutes = self._minutes, {}
        for instant, minute in minutes.items():
            data = [*self._counts(instant, minute), *self._latencies(instant, minute)]
            of_variant = [*data, _datum(instant, "InvocationsPerInstance", minute.shares)]
            self._put(of_variant, {"EndpointName": self.endpoint, "VariantName": self.variant})
            self._put(
                data,
                {
                    "EndpointName": self.endpoint,
                    "VariantName": self.variant,
                    "EndpointConfigName": self.config,
                },
            )

    def _put(self, data: list[dict[str, Any]], dimensions: dict[str, str]) -> None:
        named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        seam.publish(self.account, "AWS/SageMaker", [{**datum, "Dimensions": named} for datum in data])

    def _counts(self, instant: datetime, minute: Minute) -> list[dict[str, Any]]:
        """One datum an invocation, summed: 1 if it counts, else 0."""
        statuses = minute.statuses
        counts = {
            "Invocations": [1 for _ in statuses],
            "Invocation4XXErrors": [int(400 <= status < 500) for status in statuses],
            "Invocation5XXErrors": [int(status >= 500) for status in statuses],
            "InvocationModelErrors": [int(not 200 <= status < 300) for status in statuses],
        }
        return [_datum(instant, name, values) for name, values in counts.items()]

    def _latencies(self, instant: datetime, minute: Minute) -> list[dict[str, Any]]:
        values = minute.latencies_us
        return [
            {
                "MetricName": "ModelLatency",
                "Timestamp": instant,
                "Unit": "Microseconds",
                "Values": values[first : first + VALUES_IN_A_DATUM],
            }
            for first in range(0, len(values), VALUES_IN_A_DATUM)
        ]


def _datum(instant: datetime, name: str, values: Sequence[float]) -> dict[str, Any]:
    """The statistic set of a minute; its unit as documented, though these are counts."""
    return {
        "MetricName": name,
        "Timestamp": instant,
        "Unit": "None",
        "StatisticValues": {
            "SampleCount": len(values),
            "Sum": sum(values),
            "Minimum": min(values),
            "Maximum": max(values),
        },
    }
