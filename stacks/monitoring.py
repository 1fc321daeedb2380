"""The watch: the daily drift check, the alarms, the topic that tells people, and the dashboard."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from config.schema import Config
from domain.names import METRIC_NAMESPACE, Metric, Names, Prefix
from domain.settings import CheckDriftSettings
from stacks.dashboard import Dashboard, endpoint_metric, own_metric
from stacks.functions import PythonFunction
from stacks.packages import package_with_wheels
from stacks.people import people_topic
from stacks.permissions import allow_metrics
from stacks.storage import StorageStack


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
        alarms = [self.loss_alarm, self._silence_alarm()]
        if config.serving.has_endpoint:  # a transform that fails is told by record_transform
            alarms.append(self._errors_alarm())
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(self.topic))
        Dashboard(self, "Overview", config=config, alarms=list(alarms))

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
        function.allow(["dynamodb:GetItem"], [storage.ledger.table_arn])
        allow_metrics(function.role, METRIC_NAMESPACE)
        function.run_daily(
            "Measure the live model on the labels that came", hour_utc=monitoring.check_hour_utc, minute=0
        )
        return function

    def _loss_alarm(self) -> cloudwatch.Alarm:
        rate = self.config.monitoring.false_alarms_per_year
        return cloudwatch.Alarm(
            self,
            "Loss",
            alarm_name=f"{self.names.deployment}-loss",
            alarm_description=(
                "The live model loses more on labelled traffic than its training and its own answers led to expect, "
                f"day after day; without any change that is said {rate:g} times a year at most. It should be trained "
                "anew: `retrain` decides, the gate judges the new model. Look first whether labels and features are "
                "sound. Runbook: docs/runbooks/loss.md"
            ),
            metric=own_metric(self.names, Metric.LOSS_EVIDENCE),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            # One value a day: between two of them the alarm keeps its state.
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
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
