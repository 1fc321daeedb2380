"""An account in which all is deployed and the first model is live: each mutant is deployed into a fork of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from config.delivery import load_delivery
from config.schema import load
from domain.names import delivery_name
from rehearsal.engine import Account, containers
from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.cloudformation.assembly import CAPABILITIES, SUCCESS
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.turn import Outcome, directly
from rehearsal.sweep import short
from rehearsal.sweep.recording import Recording, physical_names
from rehearsal.sweep.short import Made


class NotDeployed(Exception):
    """The template did not come up; the message says why."""


@dataclass(frozen=True)
class Stage:
    outcome: Outcome
    recording: Recording
    started: list[subprocess.Popen[bytes]]
    """Containers that a fork has started."""

    @property
    def account(self) -> Account:
        return self.outcome.deployment.account

    def update(self, stack: str, template: dict[str, Any]) -> None:
        """What `cdk deploy` does with a changed template. Raises NotDeployed."""
        cloudformation = self.account.client("cloudformation")
        current = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        declared = template.get("Parameters", {})
        kept = [
            one["ParameterKey"] for one in current.get("Parameters", []) if one["ParameterKey"] in declared
        ]
        try:
            cloudformation.update_stack(
                StackName=stack,
                TemplateBody=json.dumps(template),
                Capabilities=CAPABILITIES,
                Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in kept],
            )
            self.account.advance_until(lambda: not self._status(stack)["StackStatus"].endswith("IN_PROGRESS"))
        except Exception as error:
            raise NotDeployed(f"{type(error).__name__}: {error}") from error
        after = self._status(stack)
        if after["StackStatus"] not in SUCCESS:
            raise NotDeployed(f"{after['StackStatus']}: {self._failures(stack)}")

    def stop_containers(self) -> None:
        for process in self.started:
            containers.stop(process, grace_seconds=0)

    def _status(self, stack: str) -> dict[str, Any]:
        found: dict[str, Any] = self.account.client("cloudformation").describe_stacks(StackName=stack)[
            "Stacks"
        ][0]
        return found

    def _failures(self, stack: str) -> str:
        events = self.account.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        failed = [one for one in events if one["ResourceStatus"].endswith("_FAILED")]
        return "; ".join(f"{one['LogicalResourceId']}: {one['ResourceStatusReason']}" for one in failed[:2])


@contextmanager
def stage(made: Made, directory: Path, recording: Path) -> Iterator[Stage]:
    """Deploy all, bring the table, train the first model and see it live; then publish every recorded metric."""
    config, played = load(short.CONFIG), short.scenario(made.tables)
    delivery = load_delivery(made.repository / "config")
    start = played.start - timedelta(hours=2)
    with Account(start=start, directory=directory, region=config.region) as account:
        outcome = Outcome(played, Deployment(account, config, made.environment, made.repository))
        if delivery:
            assembly.deploy(account, made.assembly, only=[delivery_name(delivery.name)])
        directly(outcome)
        account.advance_to(played.start)
        recorded = Recording.read(recording, physical_names(account))
        _publish(account, recorded)
        yield Stage(outcome, recorded, _keep_running(account))


def _publish(account: Account, recording: Recording) -> None:
    """So that an alarm which watches what nobody publishes is told from one that is merely quiet."""
    for metric in recording.metrics:
        dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
        datum = {"MetricName": metric.name, "Dimensions": dimensions, "Value": 1.0, "Unit": metric.unit}
        account.client("cloudwatch").put_metric_data(Namespace=metric.namespace, MetricData=[datum])


def _keep_running(account: Account) -> list[subprocess.Popen[bytes]]:
    """A fork that updates the endpoint must not stop the container of all the others; returns those it may stop."""
    start, stop = containers.start, containers.stop
    started: list[subprocess.Popen[bytes]] = []

    def start_own(account: Account, run: containers.Run) -> subprocess.Popen[bytes]:
        started.append(start(account, run))
        return started[-1]

    def stop_own(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
        if process in started:
            stop(process, grace_seconds=grace_seconds)

    def undo() -> None:
        containers.start, containers.stop = start, stop

    containers.start, containers.stop = start_own, stop_own
    account.on_close(undo)
    return started
