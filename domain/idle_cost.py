"""What a deployment costs a month while nothing happens, and the most that it may cost with training."""

from __future__ import annotations

from dataclasses import dataclass

HOURS_PER_MONTH = 730
"""AWS's own month: 8,760 hours a year over twelve."""
PRICES_AS_OF = "2026-09-27"
KMS_KEY_USD = 1.00
ALARM_USD = 0.10
CUSTOM_METRIC_USD = 0.30
DASHBOARD_USD = 3.00
SQS_USD_PER_REQUEST = 0.40 / 1_000_000
POLLS_PER_HOUR = 5 * 3600 / 20
"""Lambda keeps five long polls of 20 seconds open on a queue that feeds a function."""


@dataclass(frozen=True)
class Standing:
    """What is there all the time, and is billed for being there."""

    instance_usd_per_hour: float
    instance_count: int
    new_keys: int
    alarms: int
    custom_metrics: int
    dashboards: int
    polled_queues: int
    more_instances: int = 0
    """How many auto-scaling may add."""


@dataclass(frozen=True)
class IdleCost:
    """Dollars a month, list prices of us-east-1 without any free tier.

    Not in it, because they grow with use: requests, logs, traces, storage, what a key encrypts, and training.
    """

    endpoint_usd: float
    watch_usd: float
    key_usd: float
    queue_usd: float
    scaling_usd: float = 0.0
    """What auto-scaling may add at most: no part of the rest that is always there."""

    @property
    def total_usd(self) -> float:
        return self.endpoint_usd + self.watch_usd + self.key_usd + self.queue_usd

    def ceiling_usd(self, training_budget_usd: float) -> float:
        """With every training run that the month's budget allows, and every instance that scaling does."""
        return self.total_usd + training_budget_usd + self.scaling_usd


def idle_cost(standing: Standing) -> IdleCost:
    """The arithmetic: price times count times the hours of a month.

    >>> cost = idle_cost(Standing(0.102, 2, new_keys=1, alarms=12, custom_metrics=6, dashboards=1, polled_queues=1))
    >>> cost.endpoint_usd, round(cost.watch_usd, 2), cost.key_usd, round(cost.queue_usd, 2)
    (148.92, 6.0, 1.0, 0.26)
    >>> round(cost.total_usd, 2), round(cost.ceiling_usd(25), 2)
    (156.18, 181.18)
    """
    return IdleCost(
        endpoint_usd=standing.instance_usd_per_hour * standing.instance_count * HOURS_PER_MONTH,
        watch_usd=(
            standing.alarms * ALARM_USD
            + standing.custom_metrics * CUSTOM_METRIC_USD
            + standing.dashboards * DASHBOARD_USD
        ),
        key_usd=standing.new_keys * KMS_KEY_USD,
        queue_usd=standing.polled_queues * POLLS_PER_HOUR * HOURS_PER_MONTH * SQS_USD_PER_REQUEST,
        scaling_usd=standing.instance_usd_per_hour * standing.more_instances * HOURS_PER_MONTH,
    )
