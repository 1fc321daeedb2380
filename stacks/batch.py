"""What predicts by batch: a transform a day of the files that came, and the record of how it ended."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_sns as sns
from constructs import Construct

from config.schema import Config
from domain.names import Names, Prefix
from domain.settings import RecordTransformSettings, StartTransformSettings
from domain.transforms import ENDED
from stacks.functions import PythonFunction
from stacks.permissions import arn
from stacks.storage import StorageStack


class Batch(Construct):
    """`start_transform` and `record_transform`, in the stack that holds the release's functions."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        storage: StorageStack,
        topic: sns.ITopic,
        serving_stack: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.config, self.storage, self.topic = config, storage, topic
        self.names, self.serving_stack = Names(config.name, config.environment), serving_stack
        self.record_transform = self._record_transform()
        self.start_transform = self._start_transform()

    @property
    def functions(self) -> list[PythonFunction]:
        return [self.start_transform, self.record_transform]

    def _common(self) -> dict[str, Any]:
        storage = self.storage
        return {
            "deployment": self.names.deployment,
            "data_bucket": storage.data.bucket_name,
            "ledger_table": storage.ledger.table_name,
            "kms_key_arn": storage.key.key_arn,
            "topic_arn": self.topic.topic_arn,
        }

    @property
    def _jobs(self) -> str:
        """Their names begin with a date, and the environment in a neighbour's longer name with a letter."""
        return arn(Stack.of(self), "sagemaker", f"transform-job/{self.names.deployment}-2*")

    def _record_transform(self) -> PythonFunction:
        storage, endpoint = self.storage, self.names.endpoint
        settings = RecordTransformSettings(
            **self._common(), endpoint_name=endpoint, capture_bucket=storage.capture.bucket_name
        )
        function = PythonFunction(
            self,
            "RecordTransform",
            handler="record_transform",
            config=self.config,
            settings=settings,
            key=storage.key,
            timeout=Duration.minutes(10),
            memory_mib=1024,
        )
        function.allow(
            [f"dynamodb:{verb}" for verb in ("GetItem", "PutItem", "Query")], [storage.ledger.table_arn]
        )
        function.allow(["s3:ListBucket"], [storage.data.bucket_arn])
        function.allow(["s3:GetObject"], [storage.data.arn_for_objects(f"{Prefix.PREDICTIONS}*")])
        own = f"{Prefix.CAPTURE}{endpoint}/*"
        function.allow(["s3:PutObject"], [storage.capture.arn_for_objects(own)])
        function.allow(["sagemaker:DescribeTransformJob"], [self._jobs])
        function.allow(["sns:Publish"], [self.topic.topic_arn])
        pattern = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Transform Job State Change"],
            detail={
                "TransformJobName": [{"prefix": f"{self.names.deployment}-2"}],
                "TransformJobStatus": list(ENDED),
            },
        )
        function.run_on("OnTransformEnd", "A transform ended", pattern)
        return function

    def _start_transform(self) -> PythonFunction:
        storage, batch, record = self.storage, self.config.serving.batch, self.record_transform.function
        settings = StartTransformSettings(
            **self._common(),
            serving_stack=self.serving_stack,
            artefacts_bucket=storage.artefacts.bucket_name,
            record_transform_function=record.function_name,
            lookback_days=batch.lookback_days,
            instance_count=self.config.serving.instance_count,
        )
        function = PythonFunction(
            self,
            "StartTransform",
            handler="start_transform",
            config=self.config,
            settings=settings,
            key=storage.key,
            timeout=Duration.minutes(11),  # it may wait for record_transform
        )
        function.allow(
            [f"dynamodb:{verb}" for verb in ("GetItem", "PutItem", "Query")], [storage.ledger.table_arn]
        )
        function.allow(["s3:ListBucket"], [storage.data.bucket_arn])
        function.allow(["s3:PutObject"], [storage.artefacts.arn_for_objects(f"{Prefix.TRANSFORMS}*")])
        stack = arn(Stack.of(self), "cloudformation", f"stack/{self.serving_stack}/*")
        function.allow(["cloudformation:DescribeStacks"], [stack])
        function.allow(["sagemaker:CreateTransformJob"], [self._jobs])
        # The volumes of the instances: SageMaker uses the key by a grant that it makes for the caller.
        function.allow(["kms:CreateGrant", "kms:DescribeKey"], [storage.key.key_arn])
        function.allow(["lambda:InvokeFunction"], [record.function_arn])
        function.allow(["sns:Publish"], [self.topic.topic_arn])
        function.run_daily("Predict the files that came", hour_utc=batch.hour_utc, minute=0)
        return function
