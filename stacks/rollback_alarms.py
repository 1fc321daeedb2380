"""The alarms that take a release back, made anew for each release, and the deployment that they watch.

Their names carry release and shape, as those of model and configuration do: CloudFormation makes them before it
touches the endpoint, and a stack that rolls back finds the quiet ones of the release before still there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_cdk import Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Release
from domain.names import (
    ENDPOINT_DIMENSION,
    METRIC_NAMESPACE,
    RELEASE_DIMENSION,
    VARIANT,
    ServerMetric,
)
from domain.traffic_shift import ALARM_PERIOD_SECONDS, ShiftPlan

MICROSECONDS_IN_A_MILLISECOND = 1000
LEAST_ROWS_OF_A_MEAN = 30
"""No means are compared on fewer rows of either version."""


@dataclass(frozen=True)
class NewFleet:
    """What the alarms look at: this release's fleet alone, since both fleets share endpoint and variant."""

    endpoint: str
    endpoint_config: str
    """The name that SageMaker puts on the new fleet's metrics."""
    release_id: str
    release_before: str
    """The release that this one replaces: only against that one are predictions compared.

    Against all other traffic the alarm of the old release would fire at each new one that predicts otherwise, and
    CloudFormation could not go back under it.
    """
    name: str
    """Deployment, release and shape."""

    @property
    def dimensions(self) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
        return _dimensions(
            {
                "EndpointName": self.endpoint,
                "VariantName": VARIANT,
                "EndpointConfigName": self.endpoint_config,
            }
        )


def rollback_alarms(
    scope: Construct, fleet: NewFleet, *, release: Release, plan: ShiftPlan
) -> list[cloudwatch.CfnAlarm]:
    """Latency and errors always; the shift of the predictions only where both versions answer side by side."""
    build: list[Callable[..., cloudwatch.CfnAlarm]] = [_latency, _errors]
    if plan.compares_versions:
        build.append(_shift)
    return [make(scope, fleet, release=release, plan=plan) for make in build]


def deployment_config(
    plan: ShiftPlan, alarms: list[cloudwatch.CfnAlarm]
) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
    kind = sagemaker.CfnEndpoint
    step = (
        kind.CapacitySizeProperty(type="CAPACITY_PERCENT", value=plan.step_percent)
        if plan.step_percent
        else kind.CapacitySizeProperty(type="INSTANCE_COUNT", value=plan.step_instances)
    )
    return kind.DeploymentConfigProperty(
        auto_rollback_configuration=kind.AutoRollbackConfigProperty(
            alarms=[kind.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
        ),
        blue_green_update_policy=kind.BlueGreenUpdatePolicyProperty(
            traffic_routing_configuration=kind.TrafficRoutingConfigProperty(
                type=plan.kind,
                wait_interval_in_seconds=plan.bake_seconds,
                canary_size=step if plan.kind == "CANARY" else None,
                linear_step_size=step if plan.kind == "LINEAR" else None,
            ),
            termination_wait_in_seconds=plan.bake_seconds,
            maximum_execution_timeout_in_seconds=plan.timeout_seconds,
        ),
    )


def _latency(scope: Construct, fleet: NewFleet, *, release: Release, plan: ShiftPlan) -> cloudwatch.CfnAlarm:
    return cloudwatch.CfnAlarm(
        scope,
        "RollbackLatency",
        alarm_name=_name(fleet, "latency"),
        alarm_description=(
            f"The new release takes longer than {release.max_latency_ms:g} ms for one request in ten. "
            "Runbook: docs/runbooks/rollback.md"
        ),
        namespace="AWS/SageMaker",
        metric_name="ModelLatency",
        dimensions=fleet.dimensions,
        extended_statistic="p90",
        threshold=release.max_latency_ms * MICROSECONDS_IN_A_MILLISECOND,
        comparison_operator="GreaterThanThreshold",
        period=ALARM_PERIOD_SECONDS,
        evaluation_periods=plan.window.periods,
        datapoints_to_alarm=plan.window.breaching,
        treat_missing_data="notBreaching",
    )


def _errors(scope: Construct, fleet: NewFleet, *, release: Release, plan: ShiftPlan) -> cloudwatch.CfnAlarm:
    return cloudwatch.CfnAlarm(
        scope,
        "RollbackErrors",
        alarm_name=_name(fleet, "5xx"),
        alarm_description=(
            f"The new release answers more than {release.max_error_percent:g}% of its requests with 5xx. "
            "Runbook: docs/runbooks/rollback.md"
        ),
        namespace="AWS/SageMaker",
        metric_name="Invocation5XXErrors",
        dimensions=fleet.dimensions,
        statistic="Average",  # each request counts 0 or 1, so the mean is the share
        threshold=release.max_error_percent / 100,
        comparison_operator="GreaterThanThreshold",
        period=ALARM_PERIOD_SECONDS,
        evaluation_periods=plan.window.periods,
        datapoints_to_alarm=plan.window.breaching,
        treat_missing_data="notBreaching",
    )


def _shift(scope: Construct, fleet: NewFleet, *, release: Release, plan: ShiftPlan) -> cloudwatch.CfnAlarm:
    new = {ENDPOINT_DIMENSION: fleet.endpoint, RELEASE_DIMENSION: fleet.release_id}
    before = {ENDPOINT_DIMENSION: fleet.endpoint, RELEASE_DIMENSION: fleet.release_before}
    seconds = plan.window.seconds
    queries = [
        _sum("new_sum", ServerMetric.PREDICTION_SUM, new, seconds),
        _sum("new_rows", ServerMetric.PREDICTION_ROWS, new, seconds),
        _sum("old_sum", ServerMetric.PREDICTION_SUM, before, seconds),
        _sum("old_rows", ServerMetric.PREDICTION_ROWS, before, seconds),
    ]
    old = "(old_sum / old_rows)"
    shift = f"ABS((new_sum / new_rows - {old}) / {old})"
    least = LEAST_ROWS_OF_A_MEAN
    expression = f"IF(new_rows >= {least}, IF(old_rows >= {least}, {shift}, 0), 0)"
    result = cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id="shift", expression=expression, label="shift of the mean prediction", return_data=True
    )
    return cloudwatch.CfnAlarm(
        scope,
        "RollbackShift",
        alarm_name=_name(fleet, "shift"),
        alarm_description=(
            f"The new release's mean prediction is more than {release.max_prediction_shift:.0%} away from the old "
            "one's, side by side. Runbook: docs/runbooks/rollback.md"
        ),
        metrics=[*queries, result],
        threshold=release.max_prediction_shift,
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        datapoints_to_alarm=1,
        treat_missing_data="notBreaching",
    )


def _sum(
    query: str, metric: str, dimensions: Mapping[str, str], seconds: int
) -> cloudwatch.CfnAlarm.MetricDataQueryProperty:
    kind = cloudwatch.CfnAlarm
    return kind.MetricDataQueryProperty(
        id=query,
        return_data=False,
        metric_stat=kind.MetricStatProperty(
            metric=kind.MetricProperty(
                namespace=METRIC_NAMESPACE, metric_name=metric, dimensions=_dimensions(dimensions)
            ),
            period=seconds,
            stat="Sum",
        ),
    )


def _dimensions(values: Mapping[str, str]) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in values.items()]


def _name(fleet: NewFleet, kind: str) -> str:
    return Fn.join("-", [fleet.name, "rollback", kind])
