"""Serving without instances: the endpoint of the release record, all at once, and captured by its own server."""

from __future__ import annotations

from typing import Any

from aws_cdk import Fn
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config
from domain.idle_cost import IdleCost
from domain.instances import Candidate
from domain.names import ENDPOINT_RESOURCE, VARIANT, Names, Prefix
from stacks.cost_outputs import show_cost
from stacks.release_record import ReleaseStack, container_of, has_release, keep_until_judged, shape_of
from stacks.storage import StorageStack


class ServerlessServingStack(ReleaseStack):
    """SageMaker has neither guardrails nor data capture for it, and it takes no network isolation."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, config=config, storage=storage, **kwargs)
        names, release_id = self.names, self.release_id
        container = container_of(self, self.release, _capture(config, names, storage))
        variant = sagemaker.CfnEndpointConfig.ServerlessConfigProperty(
            memory_size_in_mb=config.serving.serverless.memory_mb,
            max_concurrency=config.serving.serverless.max_concurrency,
        )
        role = storage.model_role.role_arn
        name = Fn.join("-", [names.deployment, release_id, shape_of(self, container, variant, role)])
        model = sagemaker.CfnModel(
            self, "Model", model_name=name, execution_role_arn=role, primary_container=container
        )
        endpoint_config = sagemaker.CfnEndpointConfig(
            self,
            "EndpointConfig",
            endpoint_config_name=name,
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    initial_variant_weight=1,
                    serverless_config=variant,
                )
            ],
        )
        endpoint = sagemaker.CfnEndpoint(
            self,
            ENDPOINT_RESOURCE,
            endpoint_name=names.endpoint,
            endpoint_config_name=endpoint_config.attr_endpoint_config_name,
        )
        exists = has_release(self, release_id)
        for resource in (model, endpoint_config, endpoint):
            resource.cfn_options.condition = exists
        keep_until_judged(model, endpoint_config)

    def show_cost(self, config: Config, _: Candidate, cost: IdleCost) -> None:
        """What a month costs without a request, and at most."""
        show_cost(
            self,
            cost,
            config.budget_usd_per_month,
            at_rest="With a live model and no request: ",
            beyond="requests, logs and storage",
        )


def _capture(config: Config, names: Names, storage: StorageStack) -> dict[str, str]:
    """Where the server puts what SageMaker does not capture here; see training/own_capture.py."""
    folder = f"{Prefix.CAPTURE}{names.endpoint}/{VARIANT}"
    return {
        "TIDELINE_CAPTURE": f"s3://{storage.capture.bucket_name}/{folder}",
        "TIDELINE_CAPTURE_KEY": storage.key.key_arn,
        "TIDELINE_CAPTURE_PERCENT": str(config.serving.capture_percent),
        "TIDELINE_CAPTURE_ENDPOINT": names.endpoint,
        "TIDELINE_CAPTURE_REGION": config.region,
    }
