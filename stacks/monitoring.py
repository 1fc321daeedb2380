"""The watch: the daily drift check, the alarms, and the topic that tells people."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from config.schema import Config
from domain.names import METRIC_NAMESPACE, Metric, Names, Prefix
from domain.settings import CheckDriftSettings
from stacks.functions import PythonFunction
from stacks.metrics import endpoint_metric, own_metric
from stacks.packages import package_with_wheels
from stacks.people import people_topic
from stacks.permissions import allow_metrics
from stacks.storage import StorageStack

ALARMS = ("loss", "invalid", "traffic", "silence", "heartbeat", "5xx")
"""How the names of its alarms end; the last is that of an endpoint."""
HEARTBEAT_HOURS = 26
"""A day between two checks, an hour for the check itself and one for its datum."""


class MonitoringStack(Stack):
    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.config, self.storage = config, storage
        self.names = Names(config.name, config.environment)
        self.topic = people_topic(self, storage.key, config.notify_email)
        self.check_drift = self._check_drift()
        self.loss_alarm = self._loss_alarm()
        alarms = [
            *(self.loss_alarm, self._invalid_alarm(), self._traffic_alarm()),
            *(self._silence_alarm(), self._heartbeat_alarm()),
        ]
        if config.serving.has_endpoint:  # a transform that fails is told by record_transform
            alarms.append(self._errors_alarm())
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(self.topic))

    @property
    def alarm_names(self) -> list[str]:
        kinds = ALARMS if self.config.serving.has_endpoint else ALARMS[:-1]
        return [f"{self.names.deployment}-{kind}" for kind in kinds]

    def _check_drift(self) -> PythonFunction:
        storage, endpoint, monitoring = self.storage, self.names.endpoint, self.config.monitoring
        function = PythonFunction(
            self,
            "CheckDrift",
            handler="check_drift",
            config=self.config,
            settings=CheckDriftSettings(
                deployment=self.names.deployment,
                data_bucket=storage.data.bucket_name,
                capture_bucket=storage.capture.bucket_name,
                artefacts_bucket=storage.artefacts.bucket_name,
                ledger_table=storage.ledger.table_name,
                kms_key_arn=storage.key.key_arn,
                endpoint_name=endpoint,
                false_alarms_per_year=monitoring.false_alarms_per_year,
                label_delay_days=monitoring.label_delay_days,
                window_days=monitoring.window_days,
                min_rows=monitoring.min_rows,
            ),
            key=storage.key,
            timeout=Duration.minutes(10),
            memory_mib=1024,
            code=package_with_wheels(),
        )
        function.allow(["s3:ListBucket"], [storage.capture.bucket_arn])
        function.allow(
            ["s3:GetObject"],
            [
                storage.data.arn_for_objects(f"{Prefix.SNAPSHOTS}*"),
                storage.capture.arn_for_objects(f"{Prefix.CAPTURE}{endpoint}/*"),
                storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*"),
            ],
        )
        function.allow(["s3:PutObject"], [storage.artefacts.arn_for_objects(f"{Prefix.MONITOR}*")])
        function.allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [storage.ledger.table_arn])
        allow_metrics(function.role, METRIC_NAMESPACE)
        function.run_daily(
            "Measure the live model on the labels that came", hour_utc=monitoring.check_hour_utc, minute=0
        )
        return function

    def _daily_alarm(self, construct_id: str, metric: str, **kwargs: Any) -> cloudwatch.Alarm:
        """Red from 1 on. There is one value a day: between two of them the alarm keeps its state."""
        return cloudwatch.Alarm(
            self,
            construct_id,
            metric=own_metric(self.names, metric),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
            **kwargs,
        )

    def _loss_alarm(self) -> cloudwatch.Alarm:
        rate = self.config.monitoring.false_alarms_per_year
        return self._daily_alarm(
            "Loss",
            Metric.LOSS_EVIDENCE,
            alarm_name=f"{self.names.deployment}-loss",
            alarm_description=(
                "The live model loses more on labelled traffic than its training and its own answers led to expect, "
                f"day after day; without any change that is said {rate:g} times a year at most. It should be trained "
                "anew: `retrain` decides, the gate judges the new model. Look first whether labels and features are "
                "sound. Runbook: docs/runbooks/loss.md"
            ),
        )

    def _invalid_alarm(self) -> cloudwatch.Alarm:
        return self._daily_alarm(
            "Invalid",
            Metric.INVALID_DATA,
            alarm_name=f"{self.names.deployment}-invalid",
            alarm_description=(
                "Yesterday's traffic or the newest labels cannot be right: cells are missing, unreadable, far out of "
                "range or never seen in training, or labels are none. What is broken: ./tideline status. No model is "
                "trained on it by itself; mend the source. Runbook: docs/runbooks/invalid.md"
            ),
        )

    def _traffic_alarm(self) -> cloudwatch.Alarm:
        rate = self.config.monitoring.false_alarms_per_year
        return self._daily_alarm(
            "Traffic",
            Metric.TRAFFIC_EVIDENCE,
            alarm_name=f"{self.names.deployment}-traffic",
            alarm_description=(
                "Features or answers of the live model's traffic are no longer as on the days that it was trained "
                f"on; without any change that is said {rate:g} times a year at most. Which ones, and since when: "
                "./tideline status. Most such changes harm nobody, so nothing starts. "
                "Runbook: docs/runbooks/traffic.md"
            ),
        )

    def _heartbeat_alarm(self) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Heartbeat",
            alarm_name=f"{self.names.deployment}-heartbeat",
            alarm_description=(
                f"No daily check has run for {HEARTBEAT_HOURS} hours, so nothing is watched: no other alarm of this "
                "model can be believed. Runbook: docs/runbooks/heartbeat.md"
            ),
            # Each check publishes it, whatever it found: only that it is missing counts.
            metric=own_metric(self.names, Metric.INVALID_DATA),
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=HEARTBEAT_HOURS,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _silence_alarm(self) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Silence",
            alarm_name=f"{self.names.deployment}-silence",
            alarm_description="A day passed in which no traffic was counted. Runbook: docs/runbooks/silence.md",
            metric=own_metric(self.names, Metric.CAPTURED_ROWS, period=Duration.days(1)),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=2,
            datapoints_to_alarm=2,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _errors_alarm(self) -> cloudwatch.Alarm:
        return cloudwatch.Alarm(
            self,
            "Errors",
            alarm_name=f"{self.names.deployment}-5xx",
            alarm_description="The endpoint answered requests with 5xx. Runbook: docs/runbooks/5xx.md",
            metric=endpoint_metric(self.names, "Invocation5XXErrors", "Sum"),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
