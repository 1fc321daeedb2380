"""CloudFormation types of CodePipeline and CodeBuild."""

from __future__ import annotations

from typing import Any

from rehearsal.engine.cloudformation.resources import Properties, ResourceType, without


class CodePipeline(ResourceType):
    type = "AWS::CodePipeline::Pipeline"
    service = "codepipeline"
    also = frozenset(
        {
            "Name", "RoleArn", "Stages", "ArtifactStore", "ExecutionMode", "PipelineType", "Triggers", "Tags",
        }
    )  # fmt: skip
    names_itself = "Name"
    longest_name = 100
    tags_itself = True

    def create(self) -> str:
        self.send("CreatePipeline", pipeline=self._declaration())
        return self.name

    def update(self, _: Properties) -> None:
        self.send("UpdatePipeline", pipeline=self._declaration())

    def delete(self) -> None:
        self.send("DeletePipeline", name=self.name)

    def attributes(self) -> dict[str, Any]:
        found = self.account.client("codepipeline").get_pipeline(name=self.name)["pipeline"]
        return {"Version": str(found["version"])}

    def _declaration(self) -> dict[str, Any]:
        return without(self.properties, "Tags")


class Project(ResourceType):
    type = "AWS::CodeBuild::Project"
    service = "codebuild"
    creates = "CreateProject"
    names_itself = "Name"
    longest_name = 150
    tags_itself = True

    def create(self) -> str:
        self.send("CreateProject", **self.properties)
        return self.name

    def update(self, _: Properties) -> None:
        self.send("UpdateProject", **self.properties)

    def delete(self) -> None:
        self.send("DeleteProject", name=self.name)

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.arn(f"project/{self.name}")}


TYPES = (CodePipeline, Project)
