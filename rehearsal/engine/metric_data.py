"""Published metric data by minute, and CloudWatch's statistics over any window of minutes."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rehearsal.engine.moto_seams.cloudwatch import Datum, SeriesKey

MINUTE = 60


@dataclass
class Bucket:
    """What was published for one unit within one minute (or, merged, within a period)."""

    sample_count: float = 0.0
    total: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    values: list[float] = field(default_factory=list)  # percentiles need them; statistic sets have none

    def add(self, datum: Datum) -> None:
        values = [datum.minimum] * int(datum.sample_count) if datum.minimum == datum.maximum else []
        self.merge(Bucket(datum.sample_count, datum.total, datum.minimum, datum.maximum, values))

    def merge(self, other: Bucket) -> None:
        self.sample_count += other.sample_count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.values.extend(other.values)

    def statistic(self, name: str) -> float | None:
        """The value of a statistic, or None where there is no data for it."""
        if not self.sample_count:
            return None
        simple = {
            "Average": self.total / self.sample_count,
            "Sum": self.total,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
            "SampleCount": self.sample_count,
        }
        return simple[name] if name in simple else percentile(self.values, float(name.removeprefix("p")))


def percentile(values: list[float], percent: float) -> float | None:
    """Linear interpolation between the closest ranks; AWS does not document its method."""
    if not values:
        return None
    ordered = sorted(values)
    rank = percent / 100 * (len(ordered) - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (rank - low) * (ordered[high] - ordered[low])


@dataclass
class Series:
    """One metric: its buckets by minute and unit, and how many data were ever published."""

    published: int = 0
    minutes: list[int] = field(default_factory=list)  # sorted, epoch seconds
    buckets: dict[int, dict[str, Bucket]] = field(default_factory=dict)

    def add(self, datum: Datum) -> None:
        minute = int(datum.time.timestamp()) // MINUTE * MINUTE
        if minute not in self.buckets:
            insort(self.minutes, minute)
            self.buckets[minute] = {}
        self.buckets[minute].setdefault(datum.unit, Bucket()).add(datum)
        self.published += 1

    def between(self, start: datetime, end: datetime, unit: str | None) -> Bucket:
        """Everything in [start, end), of one unit or of all."""
        merged = Bucket()
        first = bisect_left(self.minutes, int(start.timestamp()))
        for minute in self.minutes[first : bisect_left(self.minutes, int(end.timestamp()))]:
            for published_unit, bucket in self.buckets[minute].items():
                if unit in (None, published_unit):
                    merged.merge(bucket)
        return merged

    def units(self) -> set[str]:
        return {unit for buckets in self.buckets.values() for unit in buckets}

    def recent_minutes(self, since: datetime) -> Iterable[datetime]:
        first = bisect_left(self.minutes, int(since.timestamp()))
        return (datetime.fromtimestamp(minute, UTC) for minute in self.minutes[first:])


class MetricIndex:
    """Every series of the account; reads only what is new."""

    def __init__(self) -> None:
        self.read = 0
        self.series: dict[SeriesKey, Series] = {}

    def add(self, data: list[Datum]) -> None:
        for datum in data:
            self.series.setdefault(datum.key, Series()).add(datum)
        self.read += len(data)
