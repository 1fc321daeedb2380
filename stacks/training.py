"""The SageMaker pipeline, the role of its jobs, and the functions that decide and start a run."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnCondition, CfnParameter, Duration, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config
from domain.names import NO_RELEASE, Names, Prefix
from domain.settings import (
    BuildSnapshotSettings,
    ChooseInstanceSettings,
    SignModelSettings,
    StartTrainingSettings,
)
from stacks.functions import PythonFunction
from stacks.permissions import allow, allow_container, allow_pass_role, arn
from stacks.pipeline_definition import Wiring, pipeline_definition
from stacks.storage import StorageStack

APPROVAL_STATUS = {"automatic": "Approved", "person": "PendingManualApproval"}


class TrainingStack(Stack):
    """`Image` is the digest of the image that trains and serves; `none` until one was pushed, and then nothing trains.

    It is a parameter so that a deploy of code keeps the image that is in use unless told otherwise.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.config, self.storage = config, storage
        self.names = Names(config.name, config.environment)
        image = CfnParameter(
            self,
            "Image",
            type="String",
            default=NO_RELEASE,
            allowed_pattern=f"^({NO_RELEASE}|sha256:[0-9a-f]{{64}})$",
            description="Digest of the image in the deployment's repository that trains and serves",
        )
        self.job_role = self._job_role()
        self.sign_model = self._sign_model()
        self._pipeline(image)
        self.choose_instance = PythonFunction(
            self,
            "ChooseInstance",
            handler="choose_instance",
            config=config,
            settings=ChooseInstanceSettings(
                region=config.region, estimates=config.prices.estimates, explore=config.training.explore
            ),
            key=storage.key,
        )
        self.build_snapshot = self._build_snapshot()
        self.start_training = self._start_training(image)

    def _job_role(self) -> iam.Role:
        """What a job of the pipeline may do: read the snapshot and its own run, write its own run."""
        role = iam.Role(self, "JobRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        data, artefacts = self.storage.data, self.storage.artefacts
        allow(role, ["s3:GetObject"], [data.arn_for_objects(f"{Prefix.SNAPSHOTS}*")])
        allow(role, ["s3:GetObject", "s3:PutObject"], [artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
        allow(role, ["s3:ListBucket"], [data.bucket_arn, artefacts.bucket_arn])
        allow(role, ["kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"], [self.storage.key.key_arn])
        groups = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs")
        allow_container(role, images=self.storage.images, log_groups=groups, namespaces=groups)
        return role

    def _pipeline_role(self) -> iam.Role:
        """What the pipeline itself may do: create these jobs under the job role, register into this group."""
        role = iam.Role(self, "PipelineRole", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        kinds, group = ("Training", "Processing"), self.names.model_package_group
        verbs = [f"sagemaker:{verb}{kind}Job" for kind in kinds for verb in ("Create", "Describe", "Stop")]
        jobs = [arn(self, "sagemaker", f"{kind.lower()}-job/pipelines-*") for kind in kinds]
        packages = [
            arn(self, "sagemaker", f"model-package{tail}") for tail in (f"/{group}/*", f"-group/{group}")
        ]
        allow(role, [*verbs, "sagemaker:AddTags"], jobs)
        allow(role, ["sagemaker:CreateModelPackage", "sagemaker:AddTags"], packages)
        allow(role, ["s3:GetObject"], [self.storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
        allow(role, ["kms:Decrypt"], [self.storage.key.key_arn])
        allow(role, ["lambda:InvokeFunction"], [self.sign_model.function.function_arn])
        allow_pass_role(role, self.job_role, to="sagemaker.amazonaws.com")
        return role

    def _pipeline(self, image: CfnParameter) -> None:
        wiring = Wiring(
            image=f"{self.storage.images.repository_uri}@{image.value_as_string}",
            job_role_arn=self.job_role.role_arn,
            artefacts_bucket=self.storage.artefacts.bucket_name,
            kms_key_arn=self.storage.key.key_arn,
            model_package_group=self.names.model_package_group,
            approval_status=APPROVAL_STATUS[self.config.approval],
            sign_function_arn=self.sign_model.function.function_arn,
            config=self.config,
        )
        pipeline = sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=self.names.pipeline,
            pipeline_display_name=self.names.pipeline,
            pipeline_definition={"PipelineDefinitionBody": self.to_json_string(pipeline_definition(wiring))},
            role_arn=self._pipeline_role().role_arn,
        )
        has_image = CfnCondition(
            self,
            "HasImage",
            expression=Fn.condition_not(Fn.condition_equals(image.value_as_string, NO_RELEASE)),
        )
        pipeline.cfn_options.condition = has_image

    def _sign_model(self) -> PythonFunction:
        """It reads artefacts and signs; it writes none, and no other role signs."""
        storage = self.storage
        function = PythonFunction(
            self,
            "SignModel",
            handler="sign_model",
            config=self.config,
            settings=SignModelSettings(
                artefacts_bucket=storage.artefacts.bucket_name,
                image_repository=storage.images.repository_uri,
                signing_key_arn=storage.signing_key.key_arn,
            ),
            key=storage.key,
            timeout=Duration.minutes(5),  # the largest archive is hashed once, and unpacked beside
            memory_mib=1024,
            role_name=self.names.signing_role,
        )
        function.allow(["s3:GetObject"], [storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*")])
        function.allow(["kms:Sign"], [storage.signing_key.key_arn])
        return function

    def _build_snapshot(self) -> PythonFunction:
        storage, endpoint = self.storage, self.names.endpoint
        function = PythonFunction(
            self,
            "BuildSnapshot",
            handler="build_snapshot",
            config=self.config,
            settings=BuildSnapshotSettings(
                data_bucket=storage.data.bucket_name,
                capture_bucket=storage.capture.bucket_name,
                ledger_table=storage.ledger.table_name,
                kms_key_arn=storage.key.key_arn,
                endpoint_name=endpoint,
                label_lookback_days=self.config.monitoring.label_lookback_days,
            ),
            key=storage.key,
            timeout=Duration.minutes(10),
            memory_mib=1024,
        )
        data, read = storage.data, (Prefix.HISTORY, Prefix.LABELS, Prefix.SNAPSHOTS)
        function.allow(["s3:ListBucket"], [data.bucket_arn, storage.capture.bucket_arn])
        function.allow(
            ["s3:GetObject"],
            [
                *(data.arn_for_objects(f"{prefix}*") for prefix in read),
                storage.capture.arn_for_objects(f"{Prefix.CAPTURE}{endpoint}/*"),
                storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*"),
            ],
        )
        function.allow(["s3:PutObject"], [data.arn_for_objects(f"{Prefix.SNAPSHOTS}*")])
        function.allow(["dynamodb:GetItem", "dynamodb:PutItem"], [storage.ledger.table_arn])
        function.run_daily(
            "Half an hour before drift is checked, join the labels that came",
            hour_utc=self.config.monitoring.check_hour_utc - 1,
            minute=30,
        )
        return function

    def _start_training(self, image: CfnParameter) -> PythonFunction:
        storage, training = self.storage, self.config.training
        function = PythonFunction(
            self,
            "StartTraining",
            handler="start_training",
            config=self.config,
            settings=StartTrainingSettings(
                deployment=self.names.deployment,
                pipeline_name=self.names.pipeline,
                image_digest=image.value_as_string,
                data_bucket=storage.data.bucket_name,
                artefacts_bucket=storage.artefacts.bucket_name,
                ledger_table=storage.ledger.table_name,
                kms_key_arn=storage.key.key_arn,
                choose_instance_function=self.choose_instance.function.function_name,
                memory_gib=training.memory_gib,
                minutes_on_one_vcpu=training.minutes_on_one_vcpu,
                deadline_minutes=training.deadline_minutes,
                max_runtime_minutes=training.max_runtime_minutes,
                budget_usd_per_month=self.config.budget_usd_per_month,
            ),
            key=storage.key,
        )
        runs = storage.artefacts.arn_for_objects(f"{Prefix.RUNS}*")
        function.allow(["s3:GetObject", "s3:PutObject"], [runs])
        function.allow(
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"],
            [storage.ledger.table_arn],
        )
        function.allow(["lambda:InvokeFunction"], [self.choose_instance.function.function_arn])
        function.allow(
            ["sagemaker:StartPipelineExecution"], [arn(self, "sagemaker", f"pipeline/{self.names.pipeline}")]
        )
        return function
