"""What a month of a deployment costs before it is deployed: a line each, at rest and under a stated load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.idle_cost import IdleCost

DAYS_PER_MONTH = 365 / 12
GB = 1e9
DATA_USD_PER_GB = 0.016
"""SageMaker's price of what goes into an endpoint and comes out of it."""
STORAGE_USD_PER_GB_MONTH = 0.023
"""S3 Standard, its first 50 TB."""
CAPTURE_OVERHEAD = 1.4
"""Bytes of a captured pair over its own: base64 where a type is not declared, and the event's metadata."""


@dataclass(frozen=True)
class Load:
    """Traffic of the endpoint. Bytes are of one request and of its answer."""

    requests_per_day: float
    request_bytes: float
    answer_bytes: float
    capture_percent: float
    capture_days: float
    """How long capture is kept."""

    def __post_init__(self) -> None:
        for name in ("requests_per_day", "request_bytes", "answer_bytes"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: got {value}; allowed: from 0")

    @property
    def gb_per_month(self) -> float:
        per_request = self.request_bytes + self.answer_bytes
        return self.requests_per_day * DAYS_PER_MONTH * per_request / GB


TRANSFORM_START_MINUTES = 4.0
"""Billed before a transform answers its first row, as jobs of this size were seen to take."""
ROWS_PER_SECOND_AND_VCPU = 2000
"""What a transform predicts; assumed, and on the careful side of what the server answers in large requests."""


@dataclass(frozen=True)
class Transforms:
    """One transform a day, on so many instances; a day without rows has none."""

    usd_per_hour: float
    vcpus: int
    instance_count: int

    def usd_per_month(self, rows_per_day: float) -> float:
        """
        >>> round(Transforms(0.12, vcpus=2, instance_count=1).usd_per_month(1_000_000), 2)
        0.5
        """
        if not rows_per_day:
            return 0.0
        rate = ROWS_PER_SECOND_AND_VCPU * self.vcpus * self.instance_count
        hours = TRANSFORM_START_MINUTES / 60 + rows_per_day / rate / 3600
        return DAYS_PER_MONTH * hours * self.usd_per_hour * self.instance_count


SERVERLESS_USD_PER_GB_SECOND = 0.00002
"""What memory costs while a request is answered."""
SECONDS_PER_REQUEST = 0.05
"""Of a serverless endpoint; assumed: a prediction and the capture that goes before its answer."""


PUT_USD = 0.005 / 1000
"""S3's price of writing an object: its own capture writes one an answer, SageMaker's one an hour."""


@dataclass(frozen=True)
class Serverless:
    """Memory that is billed while requests are answered."""

    memory_mb: int

    def capture_usd_per_month(self, captured_per_day: float) -> float:
        """
        >>> round(Serverless(2048).capture_usd_per_month(100_000), 2)
        15.21
        """
        return DAYS_PER_MONTH * captured_per_day * PUT_USD

    def usd_per_month(self, requests_per_day: float) -> float:
        """
        >>> round(Serverless(2048).usd_per_month(100_000), 2)
        6.08
        """
        seconds = DAYS_PER_MONTH * requests_per_day * SECONDS_PER_REQUEST
        return seconds * self.memory_mb / 1024 * SERVERLESS_USD_PER_GB_SECOND


@dataclass(frozen=True)
class Line:
    """Dollars a month at rest, and with the load on top."""

    what: str
    idle_usd: float
    load_usd: float
    how: str


def estimate(
    cost: IdleCost,
    load: Load,
    *,
    instances: str,
    training_budget_usd: float,
    beside: Transforms | Serverless | None = None,
) -> tuple[Line, ...]:
    """Every line that is priced; `instances` says in words what the endpoint, or a transform, runs on.

    `beside` is what serves in place of instances that stand; by transforms a request is a row.

    >>> none = Load(0, 0, 0, capture_percent=100, capture_days=90)
    >>> lines = estimate(IdleCost(74.46, 6.2, 1.0, 0.26), none, instances="1 x ml.c5.large", training_budget_usd=25)
    >>> round(sum(line.idle_usd for line in lines), 2), round(sum(line.load_usd for line in lines), 2)
    (81.92, 106.92)
    """
    gb = load.gb_per_month
    kept = gb * load.capture_percent / 100 * CAPTURE_OVERHEAD * load.capture_days / DAYS_PER_MONTH
    always = (
        ("alarms, metrics, dashboard", cost.watch_usd, "each billed for being there"),
        ("keys", cost.key_usd, "new KMS keys"),
        ("queues", cost.queue_usd, "Lambda polls them day and night"),
    )
    puts = 0.0
    if isinstance(beside, Serverless):
        puts = beside.capture_usd_per_month(load.requests_per_day * load.capture_percent / 100)
    how_kept = (
        f"{kept:.2f} GB lie in S3, {load.capture_percent:g}% of requests for {load.capture_days:g} days"
    )
    first, *more = _served(cost, load, instances, beside)
    return (
        first,
        *(Line(what, usd, usd, how) for what, usd, how in always),
        *more,
        Line(
            "captured requests",
            0.0,
            kept * STORAGE_USD_PER_GB_MONTH + puts,
            f"{how_kept}; an object an answer is {puts:.2f} of it" if puts else how_kept,
        ),
        *(
            [
                Line(
                    "instances that scaling adds",
                    0.0,
                    cost.scaling_usd,
                    "at most: all of them, day and night",
                )
            ]
            if cost.scaling_usd
            else []
        ),
        Line("training", 0.0, training_budget_usd, "budget_usd_per_month: the most that runs may cost"),
    )


def _served(
    cost: IdleCost, load: Load, instances: str, beside: Transforms | Serverless | None
) -> tuple[Line, ...]:
    if isinstance(beside, Transforms):
        how = (
            f"{instances}, once a day: {TRANSFORM_START_MINUTES:g} minutes and {ROWS_PER_SECOND_AND_VCPU:,} rows a "
            "second and vCPU, assumed"
        )
        return (Line("transforms", 0.0, beside.usd_per_month(load.requests_per_day), how),)
    gb = load.gb_per_month
    data = f"{gb:.2f} GB at {DATA_USD_PER_GB:g} USD"
    endpoint = Line("endpoint", cost.endpoint_usd, cost.endpoint_usd, f"{instances}, day and night")
    if beside:
        how = f"{beside.memory_mb} MB for {SECONDS_PER_REQUEST:g} seconds a request, assumed"
        endpoint = Line("endpoint", 0.0, beside.usd_per_month(load.requests_per_day), how)
    return (
        endpoint,
        Line("data through the endpoint", 0.0, gb * DATA_USD_PER_GB, data),
    )


@dataclass(frozen=True)
class Change:
    """One line before and after: of two commits, say. A side that has no such line costs nothing there."""

    what: str
    before_usd: float
    after_usd: float

    @property
    def usd(self) -> float:
        return self.after_usd - self.before_usd


def changes(before: Sequence[Line], after: Sequence[Line]) -> tuple[Change, ...]:
    """Of two estimates under one load, the lines whose dollars differ by a cent or more.

    >>> changes([Line("keys", 1, 1, "")], [Line("keys", 1, 1, ""), Line("queues", 0.26, 0.26, "")])
    (Change(what='queues', before_usd=0.0, after_usd=0.26),)
    """
    then, now = ({line.what: line.load_usd for line in lines} for lines in (before, after))
    found = (Change(what, then.get(what, 0.0), now.get(what, 0.0)) for what in dict.fromkeys([*then, *now]))
    return tuple(change for change in found if abs(change.usd) >= 0.005)
