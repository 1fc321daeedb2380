"""The dashboard of a deployment, which whoever is on call reads from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from config.schema import Config
from domain.names import DECIDED, ENDPOINT_DIMENSION, METRIC_NAMESPACE, Metric, Names, ServerMetric
from stacks.functions import PythonFunction
from stacks.metrics import endpoint_metric, own_metric
from stacks.permissions import arn
from stacks.widgets import HALF, HEIGHT, WHOLE, graph, latest

HEADING, STATUS, RELEASES, DECISIONS = 1, 6, 4, 12
SHOWN = Duration.days(28)
MINUTE, HOUR, DAY = Duration.minutes(1), Duration.hours(1), Duration.days(1)
MICROSECONDS_IN_A_MILLISECOND, MILLISECONDS_IN_A_MINUTE = 1_000, 60_000
RUNBOOKS = (
    *("loss", "invalid", "traffic", "silence", "heartbeat", "5xx"),
    *("signature", "rollback", "dead-letters", "delivery"),
)


class Dashboard(Construct):
    """Alarms and what serves; service level, machine, drift, quality, the loop, the pipeline, queues, decisions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        alarm_names: Sequence[str],
        functions: Sequence[PythonFunction],
        dead_letters: Mapping[str, sqs.IQueue],
    ) -> None:
        super().__init__(scope, construct_id)
        self.config, self.names = config, Names(config.name, config.environment)
        self.functions, self.dead_letters = functions, dead_letters
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=self.names.dashboard,
            default_interval=SHOWN,
            period_override=cloudwatch.PeriodOverride.INHERIT,
        )
        self._status(alarm_names)
        if config.serving.has_endpoint:
            self._service_level()
        if config.serving.mode == "realtime":
            self._machine()
        if config.serving.mode == "serverless":
            self._own_capture()
        self._drift()
        self._quality()
        self._loop()
        self._pipeline()
        self._queues()
        self._decisions()

    def _status(self, alarm_names: Sequence[str]) -> None:
        """The alarms by name: one that this stack imported could never be taken away."""
        alarms = [
            cloudwatch.Alarm.from_alarm_arn(self, name, arn(Stack.of(self), "cloudwatch", f"alarm:{name}"))
            for name in alarm_names
        ]
        runbooks = ", ".join(f"`docs/runbooks/{name}.md`" for name in self._runbooks())
        has_endpoint = self.config.serving.has_endpoint
        served = f"Endpoint **{self.names.endpoint}**" if has_endpoint else "Predicts by batch, once a day"
        said = (
            f"# {self.names.deployment}\n{served}, model package group "
            f"**{self.names.model_package_group}**. Which model is live and why: `./tideline status`, "
            f"`./tideline explain`. What to do when an alarm is red: {runbooks}."
        )
        self.dashboard.add_widgets(
            cloudwatch.TextWidget(markdown=said, width=HALF, height=STATUS),
            cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=HALF, height=STATUS),
        )
        self.dashboard.add_widgets(
            self._query(
                "What serves: the latest releases",
                ["fields @timestamp, verdict, subject, why", 'filter kind = "release"', *latest(3)],
                height=RELEASES,
            )
        )

    def _runbooks(self) -> list[str]:
        """Of what this deployment has."""
        of_an_endpoint = ("5xx", "rollback")
        has_endpoint = self.config.serving.has_endpoint
        return [
            *(name for name in RUNBOOKS if has_endpoint or name not in of_an_endpoint),
            *([] if has_endpoint else ["batch"]),
        ]

    def _service_level(self) -> None:
        served, failed, refused = (
            endpoint_metric(self.names, f"Invocation{which}", "Sum", period=HOUR)
            for which in ("s", "5XXErrors", "4XXErrors")
        )
        answered = cloudwatch.MathExpression(
            expression="100*(1-FILL(failed,0)/served)",
            using_metrics={"failed": failed, "served": served},
            label="answered without 5xx",
            period=HOUR,
        )
        limit = self.config.serving.release.max_latency_ms
        self._row(
            "Service level",
            graph(
                "Availability", [answered], label="percent of requests in an hour", lowest=None, highest=100
            ),
            graph(
                "Model latency",
                [self._latency(statistic) for statistic in ("p50", "p90", "p99")],
                label="milliseconds",
                line=(limit, f"a release goes back above {limit:g} ms for one request in ten"),
            ),
        )
        self.dashboard.add_widgets(
            graph("Traffic", [served], label="requests in an hour"),
            graph("Errors", [refused, failed], label="requests in an hour"),
        )

    def _latency(self, statistic: str) -> cloudwatch.MathExpression:
        measured = endpoint_metric(self.names, "ModelLatency", statistic, period=HOUR)
        return cloudwatch.MathExpression(
            expression=f"{statistic}/{MICROSECONDS_IN_A_MILLISECOND}",
            using_metrics={statistic: measured},
            label=statistic,
            period=HOUR,
        )

    def _machine(self) -> None:
        space = "/aws/sagemaker/Endpoints"

        def used(metric: str) -> list[cloudwatch.IMetric]:
            return [
                endpoint_metric(self.names, metric, how, period=HOUR, namespace=space).with_(
                    label=how.lower()
                )
                for how in ("Average", "Maximum")
            ]

        self._row(
            "Instances",
            graph(
                "CPU",
                used("CPUUtilization"),
                label="percent of one vCPU, summed over those of an instance",
            ),
            graph(
                "Memory",
                used("MemoryUtilization"),
                label="percent of an instance",
                highest=100,
            ),
        )

        if scaling := self.config.serving.scaling:
            target = scaling.invocations_per_instance
            self.dashboard.add_widgets(
                graph(
                    "Requests that an instance answers",
                    [endpoint_metric(self.names, "InvocationsPerInstance", "Sum", period=MINUTE)],
                    label="requests a minute",
                    line=(target, f"above {target:g} instances are added"),
                )
            )

    def _own_capture(self) -> None:
        captured = cloudwatch.Metric(
            namespace=METRIC_NAMESPACE,
            metric_name=ServerMetric.CAPTURED,
            dimensions_map={ENDPOINT_DIMENSION: self.names.endpoint},
            statistic="Average",
            period=HOUR,
        )
        self.dashboard.add_widgets(
            graph("Share of what was to be captured that the server could write", [captured], label="share")
        )

    def _drift(self) -> None:
        rate = self.config.monitoring.false_alarms_per_year
        self._row(
            "Drift",
            graph(
                "Evidence that the model got worse, and that its traffic changed",
                self._own(Metric.LOSS_EVIDENCE, Metric.TRAFFIC_EVIDENCE),
                label="evidence, as a share of the threshold",
                line=(1, f"the alarm; {rate:g} false a year as stated, of each"),
            ),
            graph(
                "Broken data: what is wrong with yesterday's traffic or the newest labels",
                self._own(Metric.INVALID_DATA),
                label="faults",
                line=(1, "the alarm"),
            ),
        )
        self.dashboard.add_widgets(
            graph("Largest PSI of a feature (information)", self._own(Metric.MAX_PSI), label="PSI"),
            graph(
                "Rows captured a day, labelled in the window, lines put aside",
                self._own(Metric.CAPTURED_ROWS, Metric.LABELLED_ROWS, Metric.SKIPPED_LINES),
                label="rows",
            ),
        )

    def _quality(self) -> None:
        self._row(
            "Quality",
            graph(
                "Measured loss (information)", self._own(Metric.LABELLED_LOSS), label="loss per labelled row"
            ),
            graph("Measured over held-out loss (information)", self._own(Metric.LOSS_RATIO), label="ratio"),
        )

    def _loop(self) -> None:
        counted = "stats count(*) as times by kind, verdict, rule"
        started = [self._runs(f"Execution{how}", "Sum") for how in ("Succeeded", "Failed", "Stopped")]
        self._row(
            "The loop",
            self._query("Decisions by kind", [counted, "sort times desc", "limit 15"], width=HALF),
            graph("Training runs that ended", started, label="runs in a day"),
        )

    def _pipeline(self) -> None:
        lasted = cloudwatch.MathExpression(
            expression=f"lasted/{MILLISECONDS_IN_A_MINUTE}",
            using_metrics={"lasted": self._runs("ExecutionDuration", "Maximum")},
            label="longest run",
            period=DAY,
        )
        errors = [one.function.metric_errors(label=one.handler, period=HOUR) for one in self.functions]
        self._row(
            "Pipeline and functions",
            graph("Duration of training runs", [lasted], label="minutes"),
            graph("Errors of functions", errors, label="calls in an hour"),
        )

    def _runs(self, metric: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/Sagemaker/ModelBuildingPipeline",
            metric_name=metric,
            dimensions_map={"PipelineName": self.names.pipeline},
            statistic=statistic,
            period=DAY,
        )

    def _queues(self) -> None:
        lost = [
            queue.metric_approximate_number_of_messages_visible(label=name, period=HOUR)
            for name, queue in self.dead_letters.items()
        ]
        self.dashboard.add_widgets(
            graph("Dead letters: what could not be handled", lost, label="messages", width=WHOLE)
        )

    def _decisions(self) -> None:
        asked = ["fields @timestamp, kind, verdict, rule, subject, why", *latest(15)]
        self.dashboard.add_widgets(self._query("The latest decisions, and why", asked, height=DECISIONS))

    def _row(self, heading: str, *widgets: cloudwatch.IWidget) -> None:
        self.dashboard.add_widgets(
            cloudwatch.TextWidget(
                markdown=f"## {heading}",
                width=WHOLE,
                height=HEADING,
                background=cloudwatch.TextWidgetBackground.TRANSPARENT,
            )
        )
        self.dashboard.add_widgets(*widgets)

    def _own(self, *metrics: str) -> list[cloudwatch.IMetric]:
        """Published once a day: by days, so that the points are joined."""
        return [own_metric(self.names, metric, period=DAY) for metric in metrics]

    def _query(
        self, title: str, lines: list[str], *, width: int = WHOLE, height: int = HEIGHT
    ) -> cloudwatch.LogQueryWidget:
        """Over the decisions in the logs of every function."""
        first = [lines[0]] if lines[0].startswith("fields") else []
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[one.log_group_name for one in self.functions],
            query_lines=[*first, f'filter message = "{DECIDED}"', *lines[len(first) :]],
            width=width,
            height=height,
        )
