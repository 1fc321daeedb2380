"""The endpoint, as the current release record says. No IAM in here: a release changes nothing but SageMaker."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, CfnCondition, CfnOutput, CfnParameter, Fn
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config, Serving
from domain.idle_cost import IdleCost
from domain.instances import Candidate
from domain.names import (
    BEFORE_PARAMETER,
    ENDPOINT_RESOURCE,
    FILLER,
    RELEASE_SLOTS,
    VARIANT,
    Names,
    Prefix,
)
from domain.traffic_shift import ShiftPlan, plan_shift
from stacks.cost_outputs import show_cost
from stacks.release_record import (
    FIRST_TYPE,
    ReleaseStack,
    container_of,
    has_release,
    keep_until_judged,
    shape_of,
)
from stacks.rollback_alarms import NewFleet, deployment_config, rollback_alarms
from stacks.scaling import scale
from stacks.storage import StorageStack


class ServingStack(ReleaseStack):
    """`Release` names an immutable SSM list; under `.../none` there is no endpoint.

    CloudFormation keeps the key through every deploy of code, and goes back to the old key by itself.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, config=config, storage=storage, **kwargs)
        names, release, release_id = self.names, self.release, self.release_id
        scaling, plan = config.serving.scaling, _plan(config.serving)
        before = self._release_before() if plan.compares_versions or scaling else FILLER
        # Without `TIDELINE_ENDPOINT` the server publishes no metric: nothing would look at it.
        compared = {"TIDELINE_ENDPOINT": names.endpoint} if plan.compares_versions else {}
        container = container_of(self, release, compared)
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
        exists = has_release(self, release_id)
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

    def _fleet(
        self,
        config: Config,
        storage: StorageStack,
        names: Names,
        release: list[str],
        container: sagemaker.CfnModel.ContainerDefinitionProperty,
    ) -> tuple[sagemaker.CfnModel, sagemaker.CfnEndpointConfig, str]:
        """Model, endpoint configuration and the name of both."""
        capture, pools = self._capture(config, storage), self._instance_pools(release)
        role, key = storage.model_role.role_arn, storage.key.key_arn
        # What changes no fleet of instances is no part of its name.
        settings = config.serving.model_dump(exclude={"mode", "batch", "serverless", "scaling"})
        scales = ["scales"] if config.serving.scaling else []
        shape = shape_of(self, settings, container, capture, pools, role, key, *scales)
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
        keep_until_judged(model, endpoint_config)
        return model, endpoint_config, name

    def show_cost(self, config: Config, instance: Candidate, cost: IdleCost) -> None:
        """What a month costs before anything happens, and at most."""
        scaled = f", and {cost.scaling_usd:.2f} of instances that scaling may add" if cost.scaling_usd else ""
        endpoint = f"{config.serving.instance_count} x {instance.instance_type} {cost.endpoint_usd:.2f}"
        show_cost(
            self,
            cost,
            config.budget_usd_per_month,
            at_rest=f"With a live model and no request: {endpoint}, ",
            within=scaled,
            beyond="requests, logs and storage",
        )

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
