"""The first dashboard: what is live, is it healthy, is it still right. More rows come with more capabilities."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from config.schema import Config
from domain.names import (
    DEPLOYMENT_DIMENSION,
    ENDPOINT_DIMENSION,
    METRIC_NAMESPACE,
    VARIANT,
    Metric,
    Names,
    ServerMetric,
)

HALF = 12
HEIGHT = 6


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
    names: Names, metric: str, statistic: str, *, period: Duration | None = None
) -> cloudwatch.Metric:
    """A metric that SageMaker publishes; without the variant's dimension it would be empty."""
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=metric,
        dimensions_map={"EndpointName": names.endpoint, "VariantName": VARIANT},
        statistic=statistic,
        period=period or Duration.minutes(5),
    )


def _graph(
    title: str, metrics: list[cloudwatch.IMetric], *, label: str, line: tuple[float, str] | None = None
) -> cloudwatch.GraphWidget:
    annotations = (
        [cloudwatch.HorizontalAnnotation(value=line[0], label=line[1], color=cloudwatch.Color.RED)]
        if line
        else []
    )
    return cloudwatch.GraphWidget(
        title=title,
        left=metrics,
        left_y_axis=cloudwatch.YAxisProps(label=label, show_units=False, min=0),
        left_annotations=annotations,
        width=HALF,
        height=HEIGHT,
    )


def _of_endpoint(names: Names) -> list[cloudwatch.GraphWidget]:
    return [
        _graph(
            "Traffic and errors",
            [
                endpoint_metric(names, m, "Sum")
                for m in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
            ],
            label="requests in 5 minutes",
        ),
        _graph(
            "Model latency",
            [endpoint_metric(names, "ModelLatency", statistic) for statistic in ("p50", "p90", "p99")],
            label="microseconds",
        ),
    ]


def _own_capture(names: Names) -> cloudwatch.GraphWidget:
    captured = cloudwatch.Metric(
        namespace=METRIC_NAMESPACE,
        metric_name=ServerMetric.CAPTURED,
        dimensions_map={ENDPOINT_DIMENSION: names.endpoint},
        statistic="Average",
        period=Duration.hours(1),
    )
    return _graph("Share of what was to be captured that the server could write", [captured], label="share")


class Dashboard(Construct):
    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, alarms: list[cloudwatch.IAlarm]
    ) -> None:
        super().__init__(scope, construct_id)
        names = Names(config.name, config.environment)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=names.dashboard)
        has_endpoint = config.serving.has_endpoint
        served = f"Endpoint **{names.endpoint}**" if has_endpoint else "Predicts by batch, once a day"
        dashboard.add_widgets(
            cloudwatch.TextWidget(
                markdown=(
                    f"# {names.deployment}\n{served}, model package group "
                    f"**{names.model_package_group}**. "
                    "Which model is live and why: `./tideline status` and `./tideline explain`."
                ),
                width=HALF,
                height=3,
            ),
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=HALF, height=3),
        )
        if has_endpoint:
            dashboard.add_widgets(*_of_endpoint(names))
        if config.serving.mode == "serverless":
            dashboard.add_widgets(_own_capture(names))
        dashboard.add_widgets(
            _graph(
                "Evidence that the model got worse",
                [own_metric(names, Metric.LOSS_EVIDENCE)],
                label="evidence, as a share of the threshold",
                line=(1, f"alarm: {config.monitoring.false_alarms_per_year:g} false ones a year are stated"),
            ),
            _graph(
                "Largest PSI of a feature (information)", [own_metric(names, Metric.MAX_PSI)], label="PSI"
            ),
        )
        dashboard.add_widgets(
            _graph(
                "Measured loss, and over held-out loss (information)",
                [own_metric(names, m) for m in (Metric.LABELLED_LOSS, Metric.LOSS_RATIO)],
                label="loss per labelled row, ratio",
            ),
            _graph(
                "Rows captured a day, labelled in the window, lines put aside",
                [
                    own_metric(names, m)
                    for m in (Metric.CAPTURED_ROWS, Metric.LABELLED_ROWS, Metric.SKIPPED_LINES)
                ],
                label="rows",
            ),
        )
