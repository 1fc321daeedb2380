"""What closes the loop: alarm -> queue -> retrain, pipeline's end -> reconcile, approval -> release -> record."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from config.schema import Config
from domain.model_card import Card
from domain.names import WAIT_STAGE, Names, Prefix
from domain.settings import (
    ReconcileSettings,
    RecordReleaseSettings,
    ReleaseModelSettings,
    RetrainSettings,
    Settings,
)
from stacks.acknowledgements import acknowledge
from stacks.batch import Batch
from stacks.functions import DELIVERY_ATTEMPTS, PythonFunction, encrypted_queue
from stacks.monitoring import MonitoringStack
from stacks.people import tell_of_dead_letters
from stacks.permissions import allow_pass_role, arn
from stacks.release_events import (
    run_on_pipeline_end,
    run_on_rollback_alarm,
    run_when_a_push_waits,
    run_when_serving_settled,
)
from stacks.release_grants import may_answer_deliveries, may_look_after_serving
from stacks.serving_roles import parameters_of_serving
from stacks.storage import StorageStack
from stacks.training import TrainingStack


class RetrainingStack(Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Config,
        storage: StorageStack,
        training: TrainingStack,
        serving: Stack,
        monitoring: MonitoringStack,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.config, self.storage, self.training, self.monitoring = config, storage, training, monitoring
        self.names = Names(config.name, config.environment)
        self.serving_stack = serving.stack_name
        self.dead_letters: dict[str, sqs.Queue] = {}
        self.alarm_names: list[str] = []
        self.release_model = self._release_model()
        self.record_release = self._record_release()
        functions = [self._retrain(), self._reconcile(), self.release_model, self.record_release]
        if not config.serving.has_endpoint:
            functions += Batch(
                self,
                "Batch",
                config=config,
                storage=storage,
                topic=monitoring.topic,
                serving_stack=serving.stack_name,
            ).functions
        elsewhere = [
            training.start_training,
            training.build_snapshot,
            training.choose_instance,
            training.sign_model,
            monitoring.check_drift,
        ]
        for function in (*functions, *elsewhere):
            self._tell_of_dead_letters(function.node.id, function.dead_letters)
        self.functions = [*functions, *elsewhere]

    def _function(self, construct_id: str, handler: str, settings: Settings, **more: Any) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            handler=handler,
            config=self.config,
            settings=settings,
            key=self.storage.key,
            **more,
        )

    def _ledger(self, function: PythonFunction, *verbs: str) -> None:
        function.allow([f"dynamodb:{verb}" for verb in verbs], [self.storage.ledger.table_arn])

    def _retrain(self) -> PythonFunction:
        alarm, start = self.monitoring.loss_alarm, self.training.start_training.function
        function = self._function(
            "Retrain",
            "retrain",
            RetrainSettings(
                deployment=self.names.deployment,
                alarm_name=alarm.alarm_name,
                ledger_table=self.storage.ledger.table_name,
                topic_arn=self.monitoring.topic.topic_arn,
                start_training_function=start.function_name,
                mode=self.config.retraining,
                cooldown_days=self.config.cooldown_days,
                **self.config.governor.model_dump(),
            ),
        )
        self._ledger(function, "GetItem", "PutItem", "Query")
        function.allow(["lambda:InvokeFunction"], [start.function_arn])
        function.allow(["sns:Publish"], [self.monitoring.topic.topic_arn])
        function.allow(["cloudwatch:DescribeAlarms"], [alarm.alarm_arn])
        self._feed_alarms_to(function)
        return function

    def _feed_alarms_to(self, retrain: PythonFunction) -> None:
        """Alarm -> rule -> queue -> function; what fails five times, or never arrives, is a dead letter."""
        dead_letters = encrypted_queue(self, "AlarmDeadLetters", self.storage.key)
        queue = encrypted_queue(
            self,
            "Alarms",
            self.storage.key,
            dead_letters=dead_letters,
            visibility_timeout=Duration.minutes(6),  # six times the function's timeout, as Lambda advises
        )
        retrain.function.add_event_source(
            sources.SqsEventSource(queue, batch_size=1, report_batch_item_failures=True)
        )
        acknowledge(
            retrain.function,
            "Serverless-LambdaEventSourceMappingDestination",
            "A queue as source takes no failure destination; its own redrive policy keeps what failed five times.",
        )
        pattern = events.EventPattern(
            source=["aws.cloudwatch"],
            detail_type=["CloudWatch Alarm State Change"],
            resources=[self.monitoring.loss_alarm.alarm_arn],
            detail={"state": {"value": ["ALARM"]}},
        )
        target = targets.SqsQueue(queue, dead_letter_queue=dead_letters, retry_attempts=DELIVERY_ATTEMPTS)
        events.Rule(
            self, "OnDrift", description="The loss alarm went red", event_pattern=pattern, targets=[target]
        )
        daily = events.Schedule.cron(hour=str(self.config.monitoring.check_hour_utc), minute="50")
        events.Rule(
            self, "StillRed", description="Is the loss alarm still red?", schedule=daily, targets=[target]
        )
        self._tell_of_dead_letters("Alarms", dead_letters)

    def _reconcile(self) -> PythonFunction:
        choose, record = self.training.choose_instance.function, self.record_release.function
        pipeline = arn(self, "sagemaker", f"pipeline/{self.names.pipeline}")
        function = self._function(
            "Reconcile",
            "reconcile",
            ReconcileSettings(
                deployment=self.names.deployment,
                pipeline_name=self.names.pipeline,
                artefacts_bucket=self.storage.artefacts.bucket_name,
                data_bucket=self.storage.data.bucket_name,
                kms_key_arn=self.storage.key.key_arn,
                card=Card(**self.config.card.model_dump()).to_text(),
                ledger_table=self.storage.ledger.table_name,
                topic_arn=self.monitoring.topic.topic_arn,
                choose_instance_function=choose.function_name,
                record_release_function=record.function_name,
                approval=self.config.approval,
                **self._delivery(),
            ),
        )
        may_answer_deliveries(function, self.names)
        self._ledger(function, "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
        function.allow(["s3:GetObject"], [self.storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
        function.allow(["lambda:InvokeFunction"], [choose.function_arn, record.function_arn])
        function.allow(["sns:Publish"], [self.monitoring.topic.topic_arn])
        function.allow(
            ["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"],
            [f"{pipeline}/execution/*"],
        )
        function.allow(
            ["sagemaker:CreateModelCard"], [arn(self, "sagemaker", f"model-card/{self.names.deployment}-*")]
        )
        jobs = [arn(self, "sagemaker", f"{kind}-job/pipelines-*") for kind in ("training", "processing")]
        function.allow(["sagemaker:DescribeTrainingJob", "sagemaker:DescribeProcessingJob"], jobs)
        run_on_pipeline_end(function, pipeline)
        run_when_a_push_waits(function, self.names)
        function.run_daily(
            "Settle what a lost event left behind", hour_utc=self.config.monitoring.check_hour_utc, minute=45
        )
        return function

    def _delivery(self) -> dict[str, str]:
        stage = self.names.delivery_stage(WAIT_STAGE)
        return {"delivery_pipeline": self.names.delivery_pipeline, "delivery_stage": stage}

    def _release_model(self) -> PythonFunction:
        choose, serving = self.training.choose_instance.function, self.config.serving
        function = self._function(
            "ReleaseModel",
            "release_model",
            ReleaseModelSettings(
                model_package_group=self.names.model_package_group,
                serving_stack=self.serving_stack,
                release_prefix=self.names.release_prefix,
                ledger_table=self.storage.ledger.table_name,
                choose_instance_function=choose.function_name,
                topic_arn=self.monitoring.topic.topic_arn,
                artefacts_bucket=self.storage.artefacts.bucket_name,
                image_repository=self.storage.images.repository_uri,
                signing_key_arn=self.storage.signing_key.key_arn,
                component=serving.component,
                memory_gib=serving.memory_gib,
                vcpus=serving.vcpus,
                instance_count=serving.instance_count,
            ),
            timeout=Duration.minutes(5),  # it hashes the artefact; a function's vCPU grows with its memory
            memory_mib=1024,
        )
        self._ledger(function, "GetItem", "PutItem", "DeleteItem", "Query")
        function.allow(["lambda:InvokeFunction"], [choose.function_arn])
        function.allow(["s3:GetObject"], [self.storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
        function.allow(["kms:Verify", "kms:GetPublicKey"], [self.storage.signing_key.key_arn])
        function.allow(["sagemaker:DescribeModelPackage"], [self._packages()])
        function.allow(["sns:Publish"], [self.monitoring.topic.topic_arn])
        function.allow(["ssm:PutParameter"], [arn(self, "ssm", f"parameter{self.names.release_prefix}*")])
        function.allow(["ssm:GetParameters"], parameters_of_serving(self, self.names))
        stack = arn(self, "cloudformation", f"stack/{self.serving_stack}/*")
        function.allow(["cloudformation:DescribeStacks"], [stack])
        # Refuses a template by its address. One in the request has no condition key: the role of the stack bounds it.
        no_address = {"Null": {"cloudformation:TemplateUrl": "true"}}
        function.allow(["cloudformation:UpdateStack"], [stack], no_address)
        # AWS's guide wants the stack's own role passed again, its API reference does not; a refusal costs a release.
        allow_pass_role(function.role, self.storage.serving_deploy_role, to="cloudformation.amazonaws.com")
        pattern = events.EventPattern(
            source=["aws.sagemaker"],
            detail_type=["SageMaker Model Package State Change"],
            detail={
                "ModelPackageGroupName": [self.names.model_package_group],
                "ModelApprovalStatus": ["Approved", "Rejected"],
            },
        )
        function.run_on("OnApproval", "A model package is approved or rejected", pattern)
        return function

    def _record_release(self) -> PythonFunction:
        serving = self.config.serving
        function = self._function(
            "RecordRelease",
            "record_release",
            RecordReleaseSettings(
                deployment=self.names.deployment,
                serving_stack=self.serving_stack,
                endpoint_name=self.names.endpoint,
                release_prefix=self.names.release_prefix,
                ledger_table=self.storage.ledger.table_name,
                topic_arn=self.monitoring.topic.topic_arn,
                release_model_function=self.release_model.function.function_name,
                mode=serving.mode,
                min_requests=serving.release.min_requests if serving.has_endpoint else 0,
                **self._delivery(),
            ),
        )
        may_answer_deliveries(function, self.names)
        self._ledger(function, "GetItem", "PutItem", "DeleteItem", "Query")
        may_look_after_serving(
            function,
            self.names,
            self.storage.serving_deploy_role,
            self.serving_stack,
            has_endpoint=serving.has_endpoint,
        )
        function.allow(["sagemaker:UpdateModelPackage"], [self._packages()])
        function.allow(["sns:Publish"], [self.monitoring.topic.topic_arn])
        function.allow(["lambda:InvokeFunction"], [self.release_model.function.function_arn])
        run_when_serving_settled(function, self.serving_stack)
        if serving.mode == "realtime":  # others have no rollback alarms
            run_on_rollback_alarm(function, self.names)
        return function

    def _packages(self) -> str:
        return arn(self, "sagemaker", f"model-package/{self.names.model_package_group}/*")

    def _tell_of_dead_letters(self, construct_id: str, queue: sqs.Queue) -> None:
        said = f"Something that {construct_id} could not handle lies in its dead letters."
        name = f"{self.names.deployment}-dead-letters-{construct_id}"
        topic = self.monitoring.topic
        tell_of_dead_letters(self, f"{construct_id}Lost", queue, topic, said=said, alarm_name=name)
        self.dead_letters[construct_id] = queue
        self.alarm_names.append(name)
