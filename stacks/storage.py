"""All that outlives a deployment: key, buckets, ledger, image repository, model registry, Serving's own deploy role."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from config.schema import Config
from domain.names import NO_RELEASE, Names
from domain.releases import no_release
from stacks.buckets import access_logs_bucket, private_bucket
from stacks.key import deployment_key, signing_key
from stacks.scaling import may_scale
from stacks.serving_roles import batch_role, let_cdk_pass, model_role, serving_deploy_role

CAPTURE_DAYS = 90
OLD_VERSION_DAYS = 90


class StorageStack(Stack):
    """A brought data bucket is used as it is: versioned, and its objects under the deployment's key or SSE-S3."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config, **kwargs: Any) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.names = Names(config.name, config.environment)
        self.key = deployment_key(self, self.names, config.bring.kms_key_arn)
        self.signing_key = signing_key(self, self.names)
        self.access_logs = access_logs_bucket(self, old_version_days=OLD_VERSION_DAYS)
        self.data = self._data(config.bring.data_bucket_name)
        self.artefacts = self._bucket("Artefacts")
        self.capture = self._bucket("Capture", expires=Duration.days(CAPTURE_DAYS))
        self.ledger = self._ledger()
        self.images = self._images()
        self._model_registry()
        self._no_release()
        self.model_role = self._model_role(config.serving.mode)
        self.serving_deploy_role = serving_deploy_role(self, self.names, model=self.model_role, key=self.key)
        may_scale(self.serving_deploy_role, self.names, config.serving.scaling)
        let_cdk_pass(self, self.names, self.serving_deploy_role)
        CfnOutput(self, "DataBucket", value=self.data.bucket_name, description="history/ and labels/ go here")
        CfnOutput(
            self, "LedgerTable", value=self.ledger.table_name, description="Every decision, with its reasons"
        )

    def _model_role(self, mode: str) -> iam.Role:
        images, key = self.images, self.key
        if mode == "batch":
            return batch_role(
                self, self.names, artefacts=self.artefacts, data=self.data, images=images, key=key
            )
        return model_role(
            self,
            self.names,
            artefacts=self.artefacts,
            capture=self.capture,
            images=images,
            key=key,
            has_rollback_alarms=mode == "realtime",
        )

    def _data(self, brought: str | None) -> s3.IBucket:
        return s3.Bucket.from_bucket_name(self, "Data", brought) if brought else self._bucket("Data")

    def _bucket(self, construct_id: str, *, expires: Duration | None = None) -> s3.Bucket:
        return private_bucket(
            self,
            construct_id,
            key=self.key,
            access_logs=self.access_logs,
            old_version_days=OLD_VERSION_DAYS,
            expires=expires,
        )

    def _ledger(self) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            "Ledger",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self.key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _images(self) -> ecr.Repository:
        return ecr.Repository(
            self,
            "Images",
            repository_name=self.names.image_repository,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=self.key,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _model_registry(self) -> None:
        packages = sagemaker.CfnModelPackageGroup(
            self,
            "Packages",
            model_package_group_name=self.names.model_package_group,
            model_package_group_description=f"Models of {self.names.deployment}, each with the report of its gate",
        )
        packages.apply_removal_policy(RemovalPolicy.RETAIN)

    def _no_release(self) -> None:
        ssm.StringListParameter(
            self,
            "NoRelease",
            parameter_name=self.names.release_parameter(NO_RELEASE),
            description="The release under which there is no endpoint. Every other release is a key of its own.",
            string_list_value=no_release().split(","),
        )
