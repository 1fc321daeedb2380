"""What of this deployment stands in the account, and the configuration by which it should."""

from __future__ import annotations

from dataclasses import dataclass

from config.delivery import Delivery
from config.schema import Config
from domain.names import Names
from domain.traffic_shift import ShiftPlan, plan_shift
from rehearsal.engine import Account
from rehearsal.engine.cloudformation import deployed
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.scenarios.turn import Outcome


@dataclass(frozen=True)
class Deployed:
    """An environment's stacks, and the delivery's if it is there."""

    account: Account
    config: Config
    delivery: Delivery | None
    resources: tuple[Resource, ...]

    @classmethod
    def of(cls, outcome: Outcome) -> Deployed:
        account, config = outcome.deployment.account, outcome.deployment.config
        names = outcome.deployment.names
        stacks = (f"{names.deployment}-", names.delivery_pipeline)
        ours = [one for one in deployed.resources(account) if one.stack.startswith(stacks)]
        return cls(account, config, outcome.pipeline.delivery if outcome.pipeline else None, tuple(ours))

    @property
    def names(self) -> Names:
        return Names(self.config.name, self.config.environment)

    def of_type(self, kind: str, logical_prefix: str = "", stack: str = "") -> list[Resource]:
        """Resources of a CloudFormation type, such as AWS::SQS::Queue."""
        return [
            one
            for one in self.resources
            if one.type == kind and one.logical_id.startswith(logical_prefix) and one.stack.endswith(stack)
        ]

    def is_delivery(self, resource: Resource) -> bool:
        return resource.stack == self.names.delivery_pipeline


def shift_of(config: Config) -> ShiftPlan:
    """How a release of this configuration is shifted in."""
    serving, release = config.serving, config.serving.release
    return plan_shift(
        release.shift,
        instance_count=serving.instance_count,
        step_percent=release.step_percent,
        bake_minutes=release.bake_minutes,
        most_instances=serving.scaling.max_instances if serving.scaling else None,
    )
