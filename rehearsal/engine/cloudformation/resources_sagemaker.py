"""CloudFormation types of SageMaker."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloudformation.resources import (
    EVERYTHING,
    Properties,
    ResourceFailed,
    ResourceType,
    pick,
)


class Model(ResourceType):
    type = "AWS::SageMaker::Model"
    service = "sagemaker"
    creates = "CreateModel"
    names_itself = "ModelName"
    longest_name = 63
    create_only = EVERYTHING

    def create(self) -> str:
        return str(self.send("CreateModel", **self.properties)["ModelArn"])

    def delete(self) -> None:
        self.send("DeleteModel", ModelName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"ModelName": self.name}


class EndpointConfig(ResourceType):
    type = "AWS::SageMaker::EndpointConfig"
    service = "sagemaker"
    creates = "CreateEndpointConfig"
    names_itself = "EndpointConfigName"
    longest_name = 63
    create_only = EVERYTHING

    def create(self) -> str:
        return str(self.send("CreateEndpointConfig", **self.properties)["EndpointConfigArn"])

    def delete(self) -> None:
        self.send("DeleteEndpointConfig", EndpointConfigName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"EndpointConfigName": self.name}


class Endpoint(ResourceType):
    type = "AWS::SageMaker::Endpoint"
    service = "sagemaker"
    creates = "CreateEndpoint"
    also = frozenset({"RetainAllVariantProperties", "ExcludeRetainedVariantProperties"})
    names_itself = "EndpointName"
    longest_name = 63

    def create(self) -> str:
        if for_updates := sorted(self.also & self.properties.keys()):
            raise ResourceFailed(
                f"{', '.join(for_updates)}: use only when updating an endpoint, not creating one"
            )
        return str(self.send("CreateEndpoint", **self.properties)["EndpointArn"])

    def update(self, old: Properties) -> None:
        names = ("EndpointName", "EndpointConfigName", "DeploymentConfig", *self.also)
        self.refuse_other_changes(old, *names)
        self.send("UpdateEndpoint", **pick(self.properties, *names))

    def delete(self) -> None:
        self.send("DeleteEndpoint", EndpointName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"EndpointName": self.name}

    def is_busy(self) -> bool:
        return bool(self._described()["EndpointStatus"] == "Updating")

    def prove(self) -> None:
        """An endpoint that rolled back by itself is InService too, on its old configuration."""
        endpoint = self._described()
        wanted = self.properties["EndpointConfigName"]
        rolled_back = endpoint["EndpointConfigName"] != wanted or "FailureReason" in endpoint
        seen = rolled_back and self.account.endpoint_rollback_seen_as == "failure"
        if endpoint["EndpointStatus"] != "InService" or seen:
            raise self._failed(endpoint)

    def _described(self) -> dict[str, Any]:
        return self.send("DescribeEndpoint", EndpointName=self.name)

    def _failed(self, endpoint: dict[str, Any]) -> ResourceFailed:
        status, running = endpoint["EndpointStatus"], endpoint["EndpointConfigName"]
        wanted, reason = (
            self.properties["EndpointConfigName"],
            endpoint.get("FailureReason", "no reason given"),
        )
        return ResourceFailed(
            f"endpoint {self.name} is {status} with configuration {running}, wanted was InService with {wanted}: "
            f"{reason}"
        )


class ModelPackageGroup(ResourceType):
    type = "AWS::SageMaker::ModelPackageGroup"
    service = "sagemaker"
    creates = "CreateModelPackageGroup"
    names_itself = "ModelPackageGroupName"
    longest_name = 63
    create_only = EVERYTHING

    def create(self) -> str:
        return str(self.send("CreateModelPackageGroup", **self.properties)["ModelPackageGroupArn"])

    def delete(self) -> None:
        self.send("DeleteModelPackageGroup", ModelPackageGroupName=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"ModelPackageGroupArn": self.id, "ModelPackageGroupStatus": "Completed"}


class Pipeline(ResourceType):
    type = "AWS::SageMaker::Pipeline"
    service = "sagemaker"
    creates = "CreatePipeline"
    names_itself = "PipelineName"

    def create(self) -> str:
        self.send("CreatePipeline", **self._request())
        return self.name

    def update(self, old: Properties) -> None:
        names = (
            "PipelineDisplayName",
            "PipelineDefinition",
            "PipelineDescription",
            "RoleArn",
            "ParallelismConfiguration",
        )
        self.refuse_other_changes(old, *names)
        self.send("UpdatePipeline", **pick(self._request(), "PipelineName", *names))

    def delete(self) -> None:
        self.send("DeletePipeline", PipelineName=self.name)

    def _request(self) -> dict[str, Any]:
        """CloudFormation wraps the definition in a structure of its own."""
        definition = self.properties["PipelineDefinition"]
        if set(definition) != {"PipelineDefinitionBody"}:
            raise self.unsupported(f"property PipelineDefinition.{', '.join(definition)}")
        return {**self.properties, "PipelineDefinition": definition["PipelineDefinitionBody"]}


TYPES = (Model, EndpointConfig, Endpoint, ModelPackageGroup, Pipeline)
