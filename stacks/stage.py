"""One environment: its five stacks, wired."""

from __future__ import annotations

from aws_cdk import DefaultStackSynthesizer as Synthesizer
from aws_cdk import Environment, Stack, Stage, Tags
from aws_cdk import aws_iam as iam
from constructs import Construct

from config.schema import Config
from domain.names import Names
from stacks.dashboard import Dashboard
from stacks.idle import choose_serving_instance, idle_cost_of
from stacks.monitoring import MonitoringStack
from stacks.retraining import RetrainingStack
from stacks.serving import ServingStack
from stacks.serving_batch import BatchServingStack
from stacks.serving_serverless import ServerlessServingStack
from stacks.storage import StorageStack
from stacks.training import TrainingStack

STACKS: dict[str, type[ServingStack | ServerlessServingStack | BatchServingStack]] = {
    "realtime": ServingStack,
    "serverless": ServerlessServingStack,
    "batch": BatchServingStack,
}
"""What serves, by serving.mode."""


class TidelineStage(Stage):
    """`cdk deploy 'dev/*'` deploys these in the order of their references."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, config.environment, env=Environment(region=config.region))
        names = Names(config.name, config.environment)
        self.storage = StorageStack(
            self, "Storage", config=config, stack_name=names.stack("storage"), termination_protection=True
        )
        self.training = TrainingStack(
            self, "Training", config=config, storage=self.storage, stack_name=names.stack("training")
        )
        serve = STACKS[config.serving.mode]
        self.serving = serve(
            self,
            "Serving",
            config=config,
            storage=self.storage,
            stack_name=names.stack("serving"),
            synthesizer=Synthesizer(
                cloud_formation_execution_role=(
                    f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{names.serving_deploy_role}"
                )
            ),
        )
        self.monitoring = MonitoringStack(
            self, "Monitoring", config=config, storage=self.storage, stack_name=names.stack("monitoring")
        )
        self.retraining = RetrainingStack(
            self,
            "Retraining",
            config=config,
            storage=self.storage,
            training=self.training,
            serving=self.serving,
            monitoring=self.monitoring,
            stack_name=names.stack("retraining"),
        )
        Dashboard(
            self.retraining,
            "Overview",
            config=config,
            alarm_names=[*self.monitoring.alarm_names, *self.retraining.alarm_names],
            functions=self.retraining.functions,
            dead_letters=self.retraining.dead_letters,
        )
        instance = choose_serving_instance(config)
        self.serving.show_cost(config, instance, idle_cost_of(self, config, instance))
        self._tag(config)
        if config.bring.permissions_boundary_arn:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(
                self.storage, "Boundary", config.bring.permissions_boundary_arn
            )
            iam.PermissionsBoundary.of(self).apply(boundary)

    def _tag(self, config: Config) -> None:
        for key, value in (
            ("project", config.name),
            ("environment", config.environment),
            ("managed-by", "tideline"),
        ):
            Tags.of(self).add(key, value)

    @property
    def stacks(self) -> list[Stack]:
        return [self.storage, self.training, self.serving, self.monitoring, self.retraining]
