"""How a release shifts the endpoint's traffic: in whole instances, watched for how long, and what that proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LARGEST_STEP_PERCENT = 50
"""SageMaker's own limit of a canary or a linear step."""
FLEET_START_SECONDS = 1800
"""Room for the new fleet to start, beside the time that the deployment waits by plan."""
SHORTEST_TIMEOUT_SECONDS, LONGEST_TIMEOUT_SECONDS = 600, 28800
ALARM_PERIOD_SECONDS = 60
LONGEST_ALARM_WINDOW_MINUTES = 5


@dataclass(frozen=True)
class AlarmWindow:
    """An alarm looks at `periods` minutes and fires when `breaching` of them breach; never more than half a bake."""

    periods: int
    breaching: int

    @property
    def seconds(self) -> int:
        return self.periods * ALARM_PERIOD_SECONDS


@dataclass(frozen=True)
class ShiftPlan:
    """What SageMaker is told, and what it comes to."""

    kind: Literal["ALL_AT_ONCE", "CANARY", "LINEAR"]
    instance_count: int
    step_instances: int
    """Instances of the new fleet that take traffic first (canary) or more at each step (linear)."""
    steps: int
    """How often traffic is shifted until the new fleet has all of it."""
    bake_seconds: int
    step_percent: int | None = None
    """The step as a share, where the fleet may have more instances than `instance_count` by the time of a release."""

    @property
    def percent(self) -> float:
        """The share of traffic that the first step really moves."""
        return 100 * self.step_instances / self.instance_count

    @property
    def compares_versions(self) -> bool:
        """Do old and new answer side by side for a while?"""
        return self.kind != "ALL_AT_ONCE"

    @property
    def longest_seconds(self) -> int:
        """A bake after each step, and one more before the old fleet ends."""
        return (self.steps + 1) * self.bake_seconds

    @property
    def timeout_seconds(self) -> int:
        return max(SHORTEST_TIMEOUT_SECONDS, self.longest_seconds + FLEET_START_SECONDS)

    @property
    def window(self) -> AlarmWindow:
        """Three of five minutes; in a short bake as many as fit into half of it."""
        periods = min(LONGEST_ALARM_WINDOW_MINUTES, self.bake_seconds // 2 // ALARM_PERIOD_SECONDS)
        return AlarmWindow(periods, breaching=(periods + 1) // 2)

    def sentence(self) -> str:
        """The plan for people.

        >>> plan_shift("canary", instance_count=2, step_percent=10, bake_minutes=10).sentence()
        'canary: 1 of 2 instances (50% of the traffic) for 10 minutes, then all; at most 30 minutes'
        >>> plan_shift("canary", instance_count=1, step_percent=10, bake_minutes=10).sentence()
        'all at once, since one instance cannot be split; watched for 10 minutes; at most 20 minutes'
        >>> plan_shift("linear", instance_count=4, step_percent=25, bake_minutes=10).sentence()
        'linear: 1 of 4 instances (25% of the traffic) more every 10 minutes; at most 50 minutes'
        >>> plan_shift("linear", instance_count=3, step_percent=10, bake_minutes=10, most_instances=9).sentence()
        'linear: 1 of 3 instances (33% of the traffic) more every 10 minutes; of more instances 33%; at most 70 minutes'
        """
        bake, longest = self.bake_seconds // 60, self.longest_seconds // 60
        share = (
            f"{self.step_instances} of {self.instance_count} instances ({self.percent:.0f}% of the traffic)"
        )
        said = {
            "ALL_AT_ONCE": f"all at once, since one instance cannot be split; watched for {bake} minutes",
            "CANARY": f"canary: {share} for {bake} minutes, then all",
            "LINEAR": f"linear: {share} more every {bake} minutes",
        }
        more = f"; of more instances {self.step_percent}%" if self.step_percent else ""
        return f"{said[self.kind]}{more}; at most {longest} minutes"


def plan_shift(
    shift: Literal["canary", "linear"],
    *,
    instance_count: int,
    step_percent: int,
    bake_minutes: int,
    most_instances: int | None = None,
) -> ShiftPlan:
    """The shift in whole instances: a percentage is rounded up, but never beyond half the fleet.

    Where the fleet scales, up to `most_instances`, `instance_count` is the fewest, and SageMaker is told a share.

    Raises ValueError if the deployment would take longer than SageMaker lets one run.

    >>> plan = plan_shift("canary", instance_count=10, step_percent=25, bake_minutes=10)
    >>> plan.step_instances, plan.percent, plan.steps
    (3, 30.0, 2)
    """
    if instance_count == 1:
        return ShiftPlan("ALL_AT_ONCE", 1, step_instances=1, steps=1, bake_seconds=60 * bake_minutes)
    wanted = -(-instance_count * step_percent // 100)
    step = max(1, min(wanted, instance_count * LARGEST_STEP_PERCENT // 100))
    share = 100 * step // instance_count if most_instances else None
    plan = ShiftPlan(
        "CANARY" if shift == "canary" else "LINEAR",
        instance_count,
        step_instances=step,
        steps=2
        if shift == "canary"
        else _steps(instance_count, most_instances or instance_count, step, share),
        bake_seconds=60 * bake_minutes,
        step_percent=share,
    )
    if plan.timeout_seconds > LONGEST_TIMEOUT_SECONDS:
        raise ValueError(
            f"a {shift} release of {instance_count} instances takes up to {plan.longest_seconds // 60} minutes; "
            f"SageMaker allows {(LONGEST_TIMEOUT_SECONDS - FLEET_START_SECONDS) // 60}; "
            "lower bake_minutes or raise step_percent"
        )
    return plan


def _steps(fewest: int, most: int, step: int, share: int | None) -> int:
    """Of a linear release, for whatever number of instances takes the most of them; a share is rounded down."""
    sizes = {count: max(1, count * share // 100) if share else step for count in range(fewest, most + 1)}
    return max(-(-count // size) for count, size in sizes.items())
