"""A blue/green deployment of an endpoint: launch, shift, bake, watch the alarms, complete or go back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from rehearsal.engine import hosting
from rehearsal.engine.account import Account
from rehearsal.engine.capture import Capture
from rehearsal.engine.deployment_policies import Policy, Step
from rehearsal.engine.endpoint_events import tell_deployment, tell_state
from rehearsal.engine.endpoint_metrics import EndpointMetrics
from rehearsal.engine.endpoint_state import Endpoint, Pending, variant_of
from rehearsal.engine.invocations import Serving

MINUTE = timedelta(minutes=1)  # alarms are evaluated at whole minutes


def launch(account: Account, endpoint: Endpoint, config: dict[str, Any]) -> Serving:
    """A new fleet: one container that is healthy."""
    endpoint.deployments += 1
    variant = variant_of(config)
    host = hosting.start(account, endpoint.name, variant, endpoint.deployments)
    try:
        host.wait_until_healthy()
    except hosting.DeploymentFailed:
        host.stop()
        raise
    name, wanted = variant["VariantName"], config.get("DataCaptureConfig", {})
    capture = Capture(account, endpoint.name, name, wanted, host.role_arn, endpoint.deployments)
    metrics = EndpointMetrics(
        account, endpoint.name, name, config["EndpointConfigName"], lambda: endpoint.instances
    )
    return Serving(account, host, metrics, capture)


class Deployment:
    """One update of an endpoint, from its old fleet to a new one."""

    def __init__(self, account: Account, endpoint: Endpoint, config: dict[str, Any], policy: Policy) -> None:
        self._account, self._endpoint, self._policy = account, endpoint, policy
        self._pending = Pending(config, self._now(), policy.instances)
        limit = policy.timeout_seconds
        self._deadline = self._now() + timedelta(seconds=limit) if limit else None

    def start(self) -> None:
        """Run as far as no time has to pass; the rest is on the clock."""
        self._account.in_transition.add(self._endpoint.arn)
        self._endpoint.pending, self._endpoint.failure_reason = self._pending, None
        self._settle("Updating", self._pending)
        self._go_on(self._run())

    def _go_on(self, steps: Iterator[datetime]) -> None:
        until = next(steps, None)
        if until:
            name = f"deployment of {self._endpoint.arn}"
            self._account.wake_at(until, name, lambda: self._go_on(steps))

    def _run(self) -> Iterator[datetime]:
        try:
            self._watch()
            self._enter("Creating", f"Launching {self._policy.instances} instance(s).")
            self._pending.fleet = launch(self._account, self._endpoint, self._pending.config)
            for step in self._policy.steps:
                self._shift(step)
                yield from self._bake(step)
        except hosting.DeploymentFailed as failed:
            self._go_back(str(failed))
        else:
            self._complete()

    def _shift(self, step: Step) -> None:
        """Turn traffic on for these instances of the new fleet, and off for as many of the old."""
        new, old = self._pending.fleet, self._endpoint.fleet
        assert new
        assert old
        self._pending.active_instances = step.instances
        self._enter("ActivatingTraffic", f"Activating traffic on {self._capacity(step)}.")
        self._endpoint.fleets.share({old: self._policy.instances - step.instances, new: step.instances})

    def _bake(self, step: Step) -> Iterator[datetime]:
        """Watch the alarms at every minute until the step's time is over."""
        if not step.bake_seconds:
            return
        end = self._now() + timedelta(seconds=step.bake_seconds)
        length = f"Baking for {step.bake_seconds} seconds ({step.member})"
        self._enter("Baking", f"{length} with traffic enabled on {self._capacity(step)}.")
        while (now := self._now()) < end:
            if self._deadline and now >= self._deadline:
                raise hosting.DeploymentFailed(
                    f"The deployment took longer than {self._policy.timeout_seconds} seconds "
                    "(MaximumExecutionTimeoutInSeconds) and was rolled back."
                )
            next_minute = now.replace(second=0, microsecond=0) + MINUTE
            yield min(end, next_minute, self._deadline or end)
            self._watch()

    def _capacity(self, step: Step) -> str:
        kind = "full" if step.instances == self._policy.instances else "canary"
        return f"{kind} capacity of {step.instances} instance(s)"

    def _watch(self) -> None:
        """Any of the configured alarms in ALARM ends the deployment."""
        names = list(self._policy.alarms)
        if not names:
            return
        cloudwatch = self._account.client("cloudwatch")
        found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        red = sorted(alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM")
        if red:
            raise hosting.DeploymentFailed(
                "The deployment was rolled back: of the alarms in AutoRollbackConfiguration, in ALARM: "
                f"{', '.join(red)}."
            )

    def _go_back(self, reason: str) -> None:
        """All traffic to the old fleet; the new one answers what it has taken, and stops."""
        endpoint, new = self._endpoint, self._pending.fleet
        assert endpoint.fleet
        endpoint.fleets.share({endpoint.fleet: 1})
        self._pending.active_instances = 0
        self._enter("Deleting", f"Terminating {self._policy.instances} instance(s).")
        endpoint.failure_reason = reason
        self._settle("InService", None)
        if new:
            endpoint.fleets.drain(new)
            new.retire()

    def _complete(self) -> None:
        endpoint, old = self._endpoint, self._endpoint.fleet
        assert old
        endpoint.fleet, endpoint.config = self._pending.fleet, self._pending.config
        endpoint.instances = self._policy.instances
        self._settle("InService", None)
        endpoint.fleets.drain(old)
        old.retire()

    def _settle(self, status: str, pending: Pending | None) -> None:
        endpoint = self._endpoint
        endpoint.status, endpoint.pending, endpoint.modified = status, pending, self._now()
        if pending is None:
            self._account.in_transition.discard(endpoint.arn)
        tell_state(self._account, endpoint)

    def _enter(self, stage: str, said: str) -> None:
        self._pending.stage, self._pending.said, self._pending.stage_started = stage, said, self._now()
        tell_deployment(self._account, self._endpoint)

    def _now(self) -> datetime:
        return self._account.clock.now()
