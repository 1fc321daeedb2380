"""The endpoint, as the current release record says. No IAM in here: a release changes nothing but SageMaker."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aws_cdk import Aws, CfnCondition, CfnDeletionPolicy, CfnOutput, CfnParameter, Fn, Stack
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config, Serving
from domain.idle_cost import PRICES_AS_OF, IdleCost
from domain.instances import Candidate
from domain.manifest import NO_PROOF, PROOF_VARIABLES
from domain.names import (
    BEFORE_PARAMETER,
    ENDPOINT_RESOURCE,
    FILLER,
    NO_RELEASE,
    PROOF_PARAMETER,
    RELEASE_PARAMETER,
    RELEASE_SLOTS,
    VARIANT,
    Names,
    Prefix,
)
from domain.traffic_shift import ShiftPlan, plan_shift
from stacks.rollback_alarms import NewFleet, deployment_config, rollback_alarms
from stacks.scaling import scale
from stacks.storage import StorageStack

FIRST_TYPE = 4
"""Where a record's instance types begin; before them stand release id, model data, image and package."""


class ServingStack(Stack):
    """`Release` names an immutable SSM list; under `.../none` there is no endpoint.

    CloudFormation keeps the key through every deploy of code, and goes back to the old key by itself.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        self.add_stack_dependency(storage)
        names = Names(config.name, config.environment)
        release = CfnParameter(
            self,
            RELEASE_PARAMETER,
            type="AWS::SSM::Parameter::Value<List<String>>",
            default=names.release_parameter(NO_RELEASE),
            description="The key of the release record that the endpoint runs",
        ).value_as_list
        release_id, model_data, image, package_arn = (Fn.select(i, release) for i in range(FIRST_TYPE))
        scaling, plan = config.serving.scaling, _plan(config.serving)
        before = self._release_before() if plan.compares_versions or scaling else FILLER
        container = sagemaker.CfnModel.ContainerDefinitionProperty(
            image=image,
            model_data_url=model_data,
            environment=self._environment(names, plan, package_arn, release_id),
        )
        model, endpoint_config, name = self._fleet(config, storage, names, release, container)
        alarms = rollback_alarms(
            self,
            NewFleet(
                names.endpoint,
                endpoint_config.attr_endpoint_config_name,
                release_id,
                before if plan.compares_versions else FILLER,
                name,
            ),
            release=config.serving.release,
            plan=plan,
        )
        endpoint = sagemaker.CfnEndpoint(
            self,
            ENDPOINT_RESOURCE,
            endpoint_name=names.endpoint,
            endpoint_config_name=endpoint_config.attr_endpoint_config_name,
            deployment_config=deployment_config(plan, alarms),
        )
        exists = CfnCondition(
            self, "HasRelease", expression=Fn.condition_not(Fn.condition_equals(release_id, NO_RELEASE))
        )
        for resource in (model, endpoint_config, *alarms, endpoint):
            resource.cfn_options.condition = exists
        if scaling:
            scale(
                self,
                names,
                scaling,
                fewest=config.serving.instance_count,
                endpoint=endpoint,
                exists=exists,
                release_before=before,
            )
        CfnOutput(self, "ReleasePlan", value=plan.sentence(), description="How a release is shifted in")

    def _release_before(self) -> str:
        return CfnParameter(
            self,
            BEFORE_PARAMETER,
            default=FILLER,
            description="The id of the release that this one replaces, for the comparison of their predictions",
        ).value_as_string

    def _environment(
        self, names: Names, plan: ShiftPlan, package_arn: str, release_id: str
    ) -> dict[str, str]:
        """Without `TIDELINE_ENDPOINT` the server publishes no metric: nothing would look at it."""
        compared = {"TIDELINE_ENDPOINT": names.endpoint} if plan.compares_versions else {}
        return {"TIDELINE_MODEL": package_arn, "TIDELINE_RELEASE": release_id, **compared, **self._proof()}

    def _proof(self) -> dict[str, str]:
        """What the container holds the model against before it answers; `-` of one that was never signed.

        It is no part of the release record: records of before have no room for it, and cannot change.
        """
        proof = CfnParameter(
            self,
            PROOF_PARAMETER,
            type="CommaDelimitedList",
            default=NO_PROOF.to_parameter(),
            description="Manifest, signature and public key of the model that the endpoint runs",
        ).value_as_list
        return {name: Fn.select(number, proof) for number, name in enumerate(PROOF_VARIABLES)}

    def _fleet(
        self,
        config: Config,
        storage: StorageStack,
        names: Names,
        release: list[str],
        container: sagemaker.CfnModel.ContainerDefinitionProperty,
    ) -> tuple[sagemaker.CfnModel, sagemaker.CfnEndpointConfig, str]:
        """Model, endpoint configuration and the name of both. Old ones stay until record_release collects them:

        CloudFormation may take a rollback for a success, and would remove what the endpoint went back to.
        """
        capture, pools = self._capture(config, storage), self._instance_pools(release)
        role, key = storage.model_role.role_arn, storage.key.key_arn
        settings = config.serving.model_dump(exclude={"scaling"})  # its numbers change no fleet
        scales = ["scales"] if config.serving.scaling else []
        shape = self._shape(settings, container, capture, pools, role, key, *scales)
        name = Fn.join("-", [names.deployment, Fn.select(0, release), shape])
        model = sagemaker.CfnModel(
            self,
            "Model",
            model_name=name,
            enable_network_isolation=True,
            execution_role_arn=role,
            primary_container=container,
        )
        endpoint_config = sagemaker.CfnEndpointConfig(
            self,
            "EndpointConfig",
            endpoint_config_name=name,
            kms_key_id=key,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    initial_instance_count=config.serving.instance_count,
                    initial_variant_weight=1,
                    instance_pools=pools,
                )
            ],
            data_capture_config=capture,
        )
        for resource in (model, endpoint_config):
            resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
            resource.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        return model, endpoint_config, name

    def show_cost(self, config: Config, instance: Candidate, cost: IdleCost) -> None:
        """What a month costs before anything happens, and at most; `cdk deploy` prints both."""
        scaled = f", and {cost.scaling_usd:.2f} of instances that scaling may add" if cost.scaling_usd else ""
        CfnOutput(
            self,
            "IdleUsdPerMonth",
            value=f"{cost.total_usd:.2f}",
            description=(
                f"With a live model and no request: {config.serving.instance_count} x {instance.instance_type} "
                f"{cost.endpoint_usd:.2f}, alarms, metrics and dashboard {cost.watch_usd:.2f}, key {cost.key_usd:.2f}, "
                f"queue polling {cost.queue_usd:.2f} (list prices of {PRICES_AS_OF}, no free tier)"
            ),
        )
        CfnOutput(
            self,
            "CeilingUsdPerMonth",
            value=f"{cost.ceiling_usd(config.budget_usd_per_month):.2f}",
            description=(
                f"Idle and the whole training budget of {config.budget_usd_per_month:.2f}{scaled}; "
                "requests, logs and storage come on top"
            ),
        )

    def _shape(self, *parts: Any) -> str:
        """A hash of all that a release does not say: neither resource can change, so a new shape needs a new name."""
        rendered = json.dumps(self.resolve(list(parts)), sort_keys=True)
        return hashlib.sha256(rendered.encode()).hexdigest()[:8]

    def _capture(
        self, config: Config, storage: StorageStack
    ) -> sagemaker.CfnEndpointConfig.DataCaptureConfigProperty:
        kind = sagemaker.CfnEndpointConfig
        return kind.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=config.serving.capture_percent,
            destination_s3_uri=f"s3://{storage.capture.bucket_name}/{Prefix.CAPTURE.rstrip('/')}",
            kms_key_id=storage.key.key_arn,
            capture_options=[kind.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")],
            capture_content_type_header=kind.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"], json_content_types=["application/json"]
            ),
        )

    def _instance_pools(self, release: list[str]) -> list[Any]:
        """The record's types in order; SageMaker takes the next one when a pool has no capacity.

        Inside Fn::If only CloudFormation's own spelling works: typed properties would render in camelCase.
        """
        first = sagemaker.CfnEndpointConfig.InstancePoolProperty(
            instance_type=Fn.select(FIRST_TYPE, release), priority=1
        )
        pools: list[Any] = [first]
        for slot in range(1, RELEASE_SLOTS):
            instance_type = Fn.select(FIRST_TYPE + slot, release)
            used = CfnCondition(
                self,
                f"HasType{slot + 1}",
                expression=Fn.condition_not(Fn.condition_equals(instance_type, FILLER)),
            )
            pool = {"InstanceType": instance_type, "Priority": slot + 1}
            pools.append(Fn.condition_if(used.logical_id, pool, Aws.NO_VALUE))
        return pools


def _plan(serving: Serving) -> ShiftPlan:
    return plan_shift(
        serving.release.shift,
        instance_count=serving.instance_count,
        step_percent=serving.release.step_percent,
        bake_minutes=serving.release.bake_minutes,
        most_instances=serving.scaling.max_instances if serving.scaling else None,
    )
