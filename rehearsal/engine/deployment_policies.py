"""What a DeploymentConfig asks for, as steps of whole instances: no clock, no calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.account import Unsupported

WAIT, TERMINATION = "WaitIntervalInSeconds", "TerminationWaitInSeconds"
SIZES = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}
LARGEST_PERCENT = 50
SMALLEST_LINEAR_PERCENT = 10


class InvalidPolicy(Exception):
    """A DeploymentConfig that SageMaker refuses."""


@dataclass(frozen=True)
class Step:
    """So many instances of the new fleet take traffic; then alarms are watched for so long."""

    instances: int
    bake_seconds: int
    member: str
    """The member of the DeploymentConfig that says how long."""


@dataclass(frozen=True)
class Policy:
    """A blue/green update: its steps (the last is the whole fleet), its limit and the alarms that end it."""

    steps: tuple[Step, ...]
    timeout_seconds: int | None = None
    alarms: tuple[str, ...] = ()

    @property
    def instances(self) -> int:
        return self.steps[-1].instances


def policy_of(config: Mapping[str, Any] | None, instances: int) -> Policy:
    """The policy for a new fleet of so many instances; without a configuration all at once, without a bake."""
    if not config:
        return Policy((Step(instances, 0, TERMINATION),))
    if "RollingUpdatePolicy" in config:
        raise Unsupported("RollingUpdatePolicy: build it in rehearsal/engine/deployment_policies.py")
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms)
    update = config.get("BlueGreenUpdatePolicy")
    if update is None:
        return Policy((Step(instances, 0, TERMINATION),), alarms=names)
    routing = update["TrafficRoutingConfiguration"]
    last = Step(instances, update.get(TERMINATION, 0), TERMINATION)
    shares = _shares(routing, instances)
    steps = (*(Step(share, routing[WAIT], WAIT) for share in shares), last)
    return Policy(steps, update.get("MaximumExecutionTimeoutInSeconds"), names)


def _shares(routing: Mapping[str, Any], instances: int) -> list[int]:
    """How many instances take traffic in each step before the last."""
    kind = routing["Type"]
    member = SIZES.get(kind)
    for other in SIZES.values():
        if other != member and other in routing:
            raise InvalidPolicy(f"TrafficRoutingConfiguration of Type {kind} has no {other}")
    if member is None:
        return []
    if member not in routing:
        raise InvalidPolicy(f"TrafficRoutingConfiguration of Type {kind} needs {member}")
    size = _instances(routing[member], instances, member)
    return [size] if kind == "CANARY" else list(range(size, instances, size))


def _instances(size: Mapping[str, Any], instances: int, member: str) -> int:
    """A size in whole instances: rounded down, at least one, at most half of the fleet."""
    value, is_percent = size["Value"], size["Type"] == "CAPACITY_PERCENT"
    whole = max(1, instances * value // 100) if is_percent else value
    smallest = SMALLEST_LINEAR_PERCENT if member == "LinearStepSize" else 1
    percent = value if is_percent else 100 * value / instances
    if whole * 100 > instances * LARGEST_PERCENT or not smallest <= percent <= LARGEST_PERCENT:
        raise InvalidPolicy(
            f"{member} of {value} {size['Type']} is {whole} of {instances} instance(s); allowed are {smallest} to "
            f"{LARGEST_PERCENT} % of the variant's instances. Use more instances, or Type ALL_AT_ONCE"
        )
    return int(whole)
