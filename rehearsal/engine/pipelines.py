"""SageMaker Pipelines: the API, and executions that run step by step through SageMaker's own API."""

from __future__ import annotations

from typing import Any

from rehearsal.engine import pipeline_definitions
from rehearsal.engine.account import Account
from rehearsal.engine.jobs import page, require_assumable
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.pipeline_definitions import Definition, DefinitionError
from rehearsal.engine.pipeline_executions import Execution, execution_id

DESCRIBED = (
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDefinition",
    "PipelineDescription",
    "RoleArn",
    "ParallelismConfiguration",
)


class Pipelines:
    """The pipelines of an account and their executions: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._pipelines: dict[str, dict[str, Any]] = {}
        self._versions: dict[str, int] = {}
        self._executions: dict[str, Execution] = {}
        self._tokens: dict[tuple[str, str], str] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["PipelineName"]
        if name in self._pipelines:
            raise seam.error("ConflictException", f"Pipeline names must be unique; {name} already exists")
        self._check(request)
        now = self._account.clock.now()
        arn = f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:pipeline/{name}"
        self._pipelines[name] = {
            **{key: request[key] for key in DESCRIBED if key in request},
            "PipelineArn": arn,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        self._versions[name] = 1
        return {"PipelineArn": arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        pipeline = self._pipeline(request["PipelineName"])
        changed = {**pipeline, **{key: request[key] for key in DESCRIBED if key in request}}
        self._check({**changed, **request, "PipelineName": pipeline["PipelineName"]})
        name = pipeline["PipelineName"]
        pipeline.update(changed, PipelineName=name, LastModifiedTime=self._account.clock.now())
        self._versions[name] += 1
        return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": self._versions[name]}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        pipeline = self._pipeline(request["PipelineName"])
        running = [run.id for run in self._of(pipeline) if run.status in ("Executing", "Stopping")]
        if running:
            raise seam.error(
                "ConflictException", f"Pipeline {pipeline['PipelineName']} has running executions: {running}"
            )
        del self._pipelines[pipeline["PipelineName"]]
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._pipeline(request["PipelineName"])

    def list_pipelines(self, request: dict[str, Any]) -> dict[str, Any]:
        prefix = request.get("PipelineNamePrefix", "")
        found = [item for name, item in self._pipelines.items() if name.startswith(prefix)]
        return page(found, request, "PipelineSummaries")

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer at once; the execution runs when the account is pumped."""
        pipeline = self._pipeline(request["PipelineName"])
        token = (pipeline["PipelineArn"], request.get("ClientRequestToken", ""))
        if token in self._tokens:
            return {"PipelineExecutionArn": self._tokens[token]}
        definition = self._parse(pipeline["PipelineDefinition"])
        role_arn = request.get("RoleArn", pipeline["RoleArn"])
        require_assumable(self._account, role_arn)
        run = Execution(
            account=self._account,
            pipeline=dict(pipeline),
            role_arn=role_arn,
            id=execution_id(pipeline["PipelineArn"], len(self._of(pipeline))),
            definition=definition,
            parameters=_values(definition, request.get("PipelineParameters", [])),
            display_name=request.get("PipelineExecutionDisplayName"),
            description=request.get("PipelineExecutionDescription"),
        )
        self._executions[run.arn] = run
        if token[1]:
            self._tokens[token] = run.arn
        pipeline["LastRunTime"] = self._account.clock.now()
        run.start()
        return {"PipelineExecutionArn": run.arn}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._execution(request)
        run.stop()
        return {"PipelineExecutionArn": run.arn}

    def describe_execution(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._execution(request).described()

    def list_executions(self, request: dict[str, Any]) -> dict[str, Any]:
        pipeline = self._pipeline(request["PipelineName"])
        return page([run.summary() for run in self._of(pipeline)], request, "PipelineExecutionSummaries")

    def list_steps(self, request: dict[str, Any]) -> dict[str, Any]:
        return page(self._execution(request).steps, request, "PipelineExecutionSteps")

    def list_parameters(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._execution(request)
        values = [{"Name": name, "Value": str(value)} for name, value in run.parameters.items()]
        return {"PipelineParameters": values}

    def describe_definition(self, request: dict[str, Any]) -> dict[str, Any]:
        run = self._execution(request)
        return {"PipelineDefinition": run.pipeline["PipelineDefinition"], "CreationTime": run.created}

    def _check(self, request: dict[str, Any]) -> None:
        if "PipelineDefinition" not in request or "PipelineDefinitionS3Location" in request:
            raise seam.error(
                "ValidationException",
                "The local account takes the definition in PipelineDefinition only, not from S3",
            )
        self._parse(request["PipelineDefinition"])
        require_assumable(self._account, request["RoleArn"])

    def _parse(self, text: str) -> Definition:
        try:
            return pipeline_definitions.parse(text)
        except DefinitionError as error:
            raise seam.error("ValidationException", str(error)) from error

    def _pipeline(self, name_or_arn: str) -> dict[str, Any]:
        for name, pipeline in self._pipelines.items():
            if name_or_arn in (name, pipeline["PipelineArn"]):
                return pipeline
        raise seam.error("ResourceNotFound", f"Pipeline '{name_or_arn}' does not exist.")

    def _of(self, pipeline: dict[str, Any]) -> list[Execution]:
        return [
            run for run in self._executions.values() if run.pipeline["PipelineArn"] == pipeline["PipelineArn"]
        ]

    def _execution(self, request: dict[str, Any]) -> Execution:
        arn = request["PipelineExecutionArn"]
        if arn not in self._executions:
            raise seam.error("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
        return self._executions[arn]


def _values(definition: Definition, given: list[dict[str, Any]]) -> dict[str, Any]:
    """Every parameter's value: given, or its default."""
    named = {item["Name"]: item["Value"] for item in given}
    unknown = sorted(set(named) - set(definition.parameters))
    missing = [
        name
        for name, parameter in definition.parameters.items()
        if name not in named and parameter.default is None
    ]
    if unknown or missing:
        raise seam.error(
            "ValidationException",
            f"Pipeline parameters: unknown {unknown}, missing without a default {missing}; "
            f"the definition has {list(definition.parameters)}",
        )
    try:
        return {
            name: parameter.value(named.get(name, parameter.default))
            for name, parameter in definition.parameters.items()
        }
    except DefinitionError as error:
        raise seam.error("ValidationException", str(error)) from error


def install(account: Account) -> None:
    """Let this account's pipelines run."""
    pipelines = Pipelines(account)
    seam.answer(
        account,
        {
            "CreatePipeline": pipelines.create,
            "UpdatePipeline": pipelines.update,
            "DeletePipeline": pipelines.delete,
            "DescribePipeline": pipelines.describe,
            "ListPipelines": pipelines.list_pipelines,
            "StartPipelineExecution": pipelines.start,
            "StopPipelineExecution": pipelines.stop,
            "DescribePipelineExecution": pipelines.describe_execution,
            "ListPipelineExecutions": pipelines.list_executions,
            "ListPipelineExecutionSteps": pipelines.list_steps,
            "ListPipelineParametersForExecution": pipelines.list_parameters,
            "DescribePipelineDefinitionForExecution": pipelines.describe_definition,
        },
    )
