"""The metrics that alarms and the dashboard look at, with the dimensions under which they are published."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from domain.names import DEPLOYMENT_DIMENSION, METRIC_NAMESPACE, VARIANT, Names


def own_metric(
    names: Names, metric: str, *, statistic: str = "Maximum", period: Duration | None = None
) -> cloudwatch.Metric:
    """A metric that our code publishes."""
    return cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=metric,
        dimensions_map={DEPLOYMENT_DIMENSION: names.deployment},
        statistic=statistic,
        period=period or Duration.hours(1),
    )


def endpoint_metric(
    names: Names,
    metric: str,
    statistic: str,
    *,
    period: Duration | None = None,
    namespace: str = "AWS/SageMaker",
) -> cloudwatch.Metric:
    """A metric that SageMaker publishes; without the variant's dimension it would be empty."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=metric,
        dimensions_map={"EndpointName": names.endpoint, "VariantName": VARIANT},
        statistic=statistic,
        period=period or Duration.minutes(5),
    )
