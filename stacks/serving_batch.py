"""Serving by batch: the model of the release record, and no endpoint. A transform a day runs it; see batch.py."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Fn
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from config.schema import Config
from domain.idle_cost import IdleCost
from domain.instances import Candidate
from domain.names import MODEL_OUTPUT
from stacks.cost_outputs import show_cost
from stacks.release_record import ReleaseStack, container_of, has_release, keep_until_judged, shape_of
from stacks.storage import StorageStack


class BatchServingStack(ReleaseStack):
    """A release makes its model and takes the place of the former one; going back is the former record again."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Config, storage: StorageStack, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, config=config, storage=storage, **kwargs)
        names, release_id = self.names, self.release_id
        container = container_of(self, self.release, {})
        role = storage.model_role.role_arn
        model = sagemaker.CfnModel(
            self,
            "Model",
            model_name=Fn.join("-", [names.deployment, release_id, shape_of(self, container, role)]),
            enable_network_isolation=True,
            execution_role_arn=role,
            primary_container=container,
        )
        exists = has_release(self, release_id)
        model.cfn_options.condition = exists
        keep_until_judged(model)
        CfnOutput(
            self,
            MODEL_OUTPUT,
            value=model.attr_model_name,
            condition=exists,
            description="What the next transform runs",
        )

    def show_cost(self, config: Config, instance: Candidate, cost: IdleCost) -> None:
        """What a month costs without a file to predict, and at most."""
        price = (
            f"{config.serving.instance_count} x {instance.instance_type} at {instance.usd_per_hour:g} an hour"
        )
        show_cost(
            self,
            cost,
            config.budget_usd_per_month,
            at_rest=f"With a live model and no file, a transform being {price}: ",
            beyond="transforms, logs and storage",
        )
