"""One execution of a pipeline: a step at a time, each through SageMaker's API under the pipeline's role."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from rehearsal.engine import roles
from rehearsal.engine.account import Account, Unsupported
from rehearsal.engine.clock import event_time
from rehearsal.engine.execution_roles import SAGEMAKER
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.pipeline_definitions import Definition, Step
from rehearsal.engine.pipeline_expressions import ExpressionError, Scope
from rehearsal.engine.s3_transfer import DataError, Transfer
from rehearsal.engine.service_metrics import record_execution

BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
EVENT = "SageMaker Model Building Pipeline Execution Status Change"
STEP_FAILURE = "Step failure: One or multiple steps failed."


def execution_id(pipeline_arn: str, number: int) -> str:
    """Twelve letters and digits, the same for the same pipeline and number."""
    return _short_hash(f"{pipeline_arn} {number}", 12)


def _short_hash(text: str, length: int) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(BASE36))
        letters.append(BASE36[index])
    return "".join(letters)


class StepFailed(Exception):
    """A step failed; the message is its FailureReason."""


@dataclass
class Execution:
    """A running or finished execution and its steps, as the API shows them."""

    account: Account
    pipeline: dict[str, Any]
    role_arn: str
    id: str
    definition: Definition
    parameters: dict[str, Any]
    display_name: str | None
    description: str | None
    status: str = "Executing"
    failure_reason: str | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    _waiting: list[Step] = field(default_factory=list)
    _outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    _files: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.created: datetime = self.account.clock.now()
        self.modified = self.created
        self._waiting = list(self.definition.steps)

    @property
    def arn(self) -> str:
        return f"{self.pipeline['PipelineArn']}/execution/{self.id}"

    def start(self) -> None:
        self.account.defer(f"pipeline event {self.id}", lambda: self._tell(None))
        self.account.defer(f"pipeline execution {self.id}", self._next)

    def stop(self) -> None:
        if self.status == "Executing":
            self._change("Stopping")

    def described(self) -> dict[str, Any]:
        return _present(
            PipelineArn=self.pipeline["PipelineArn"],
            PipelineExecutionArn=self.arn,
            PipelineExecutionDisplayName=self.display_name,
            PipelineExecutionDescription=self.description,
            PipelineExecutionStatus=self.status,
            FailureReason=self.failure_reason,
            CreationTime=self.created,
            LastModifiedTime=self.modified,
            RoleArn=self.role_arn,
        )

    def summary(self) -> dict[str, Any]:
        return _present(
            PipelineExecutionArn=self.arn,
            StartTime=self.created,
            PipelineExecutionStatus=self.status,
            PipelineExecutionDisplayName=self.display_name,
            PipelineExecutionDescription=self.description,
            PipelineExecutionFailureReason=self.failure_reason,
        )

    def _next(self) -> None:
        """Begin the first step whose needs are met; end when none is."""
        if self.status == "Stopping":
            self._end("Stopped", None)
            return
        step = next((item for item in self._waiting if item.needs() <= set(self._outputs)), None)
        if step is None:
            self._end("Succeeded", None)
            return
        self._waiting.remove(step)
        record = {"StepName": step.name, "StartTime": self.account.clock.now(), "StepStatus": "Executing"}
        record["Metadata"] = {}
        self.steps.append(record)
        self.account.journal.write(
            "step", execution=self.id, step=step.name, type=step.type, status="Executing"
        )
        self._attempt(step, record, lambda: self._begin(step, record))

    def _attempt(self, step: Step, record: dict[str, Any], act: Any) -> None:
        """Do part of a step; what goes wrong in it fails the step and the execution."""
        try:
            act()
        except ClientError as error:
            message = error.response["Error"]["Message"]
            if message.startswith(seam.UNSUPPORTED):
                raise Unsupported(message) from error
            reason = f"ClientError: Failed to invoke sagemaker:{error.operation_name}. Error Details: {error}"
            self._fail(step, record, reason)
        except (ParamValidationError, ExpressionError, DataError, PermissionError) as error:
            text = str(error)
            self._fail(step, record, text if text.startswith("ClientError") else f"ClientError: {text}")
        except StepFailed as failed:
            self._fail(step, record, str(failed))

    def _begin(self, step: Step, record: dict[str, Any]) -> None:
        if step.type == "Condition":
            self._condition(step, record)
        elif step.type == "Fail":
            message = self._scope().resolve(step.arguments["ErrorMessage"])
            record["Metadata"] = {"Fail": {"ErrorMessage": message}}
            raise StepFailed(message)
        elif step.type == "RegisterModel":
            self._register(step, record)
        elif step.type == "Lambda":
            self._invoke(step, record)
        else:
            self._begin_job(step, record)

    def _condition(self, step: Step, record: dict[str, Any]) -> None:
        scope = self._scope()
        outcome = all(scope.holds(condition) for condition in step.arguments["Conditions"])
        record["Metadata"] = {"Condition": {"Outcome": str(outcome)}}
        self._waiting.extend(step.if_steps if outcome else step.else_steps)
        self._succeed(step, record, {})

    def _register(self, step: Step, record: dict[str, Any]) -> None:
        arguments = self._scope().resolve(dict(step.arguments))
        made = {"GeneratedBy": self.arn}
        arguments["MetadataProperties"] = {**made, **arguments.get("MetadataProperties", {})}
        arn = self._sagemaker().create_model_package(**arguments)["ModelPackageArn"]
        record["Metadata"] = {"RegisterModel": {"Arn": arn}}
        described = self.account.client("sagemaker").describe_model_package(ModelPackageName=arn)
        self._succeed(step, record, described)

    def _invoke(self, step: Step, record: dict[str, Any]) -> None:
        """Call the function under the pipeline's role; of its answer the declared outputs are kept."""
        arn = step.function_arn
        payload = json.dumps(self._scope().resolve(dict(step.arguments))).encode()
        given = {"FunctionName": arn, "Payload": payload}
        answer = roles.call(self.account, self.role_arn, SAGEMAKER, "lambda", "Invoke", **given)
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            said = f"{body.get('errorType')}: {body.get('errorMessage')}"
            raise StepFailed(f"ClientError: Lambda function {arn} failed: {said}")
        lacking = [name for name in step.output_parameters if name not in body]
        if lacking:
            raise StepFailed(f"ClientError: Lambda function {arn} did not return {', '.join(lacking)}")
        outputs = {name: body[name] for name in step.output_parameters}
        shown = [{"Name": name, "Value": str(value)} for name, value in outputs.items()]
        record["Metadata"] = {"Lambda": {"Arn": arn, "OutputParameters": shown}}
        self._succeed(step, record, {"OutputParameters": outputs})

    def _begin_job(self, step: Step, record: dict[str, Any]) -> None:
        """Create the job as AWS does; it runs before what is deferred after it."""
        arguments = self._scope().resolve(dict(step.arguments))
        arguments[f"{step.type}JobName"] = self._job_name(step)
        arguments.setdefault("ExperimentConfig", {}).update(
            ExperimentName=self.pipeline["PipelineName"],
            TrialName=self.id,
            TrialComponentDisplayName=re.sub(r"[^a-zA-Z0-9]+", "-", step.name).strip("-"),
        )
        create = getattr(self._sagemaker(), f"create_{step.type.lower()}_job")
        record["Metadata"] = {f"{step.type}Job": {"Arn": create(**arguments)[f"{step.type}JobArn"]}}
        self.account.defer(
            f"step {step.name} of {self.id}",
            lambda: self._attempt(step, record, lambda: self._settle_job(step, record)),
        )

    def _settle_job(self, step: Step, record: dict[str, Any]) -> None:
        kind = step.type
        describe = getattr(self._sagemaker(), f"describe_{kind.lower()}_job")
        job = describe(**{f"{kind}JobName": self._job_name(step)})
        status = job[f"{kind}JobStatus"]
        if status != "Completed":
            raise StepFailed(job.get("FailureReason") or f"{kind} job ended as {status}")
        for name, (output, path) in step.property_files.items():
            uri = next(
                item["S3Output"]["S3Uri"]
                for item in job["ProcessingOutputConfig"]["Outputs"]
                if item["OutputName"] == output
            )
            self._files[step.name, name] = f"{uri.rstrip('/')}/{path}"
        self._succeed(step, record, job)

    def _job_name(self, step: Step) -> str:
        """pipelines-<execution>-<step>-<hash>, at most 63 characters."""
        readable = re.sub(r"[^a-zA-Z0-9]+", "-", step.name)[:29].strip("-")
        return f"pipelines-{self.id}-{readable}-{_short_hash(f'{self.arn} {step.name}', 10)}"

    def _succeed(self, step: Step, record: dict[str, Any], output: dict[str, Any]) -> None:
        self._outputs[step.name] = output
        self._close(step, record, "Succeeded")
        self.account.defer(f"pipeline execution {self.id}", self._next)

    def _fail(self, step: Step, record: dict[str, Any], reason: str) -> None:
        record["FailureReason"] = reason[:3072]
        self._close(step, record, "Failed")
        self._end("Failed", reason[:1300] if step.type == "Fail" else STEP_FAILURE)

    def _close(self, step: Step, record: dict[str, Any], status: str) -> None:
        record |= {"StepStatus": status, "EndTime": self.account.clock.now()}
        self.account.journal.write("step", execution=self.id, step=step.name, type=step.type, status=status)

    def _end(self, status: str, reason: str | None) -> None:
        self.failure_reason = reason
        self._tell(self._change(status))
        lasted = self.modified - self.created
        record_execution(self.account, self.pipeline["PipelineName"], status, lasted)

    def _change(self, status: str) -> str:
        before, self.status = self.status, status
        self.modified = self.account.clock.now()
        return before

    def _tell(self, before: str | None) -> None:
        """The journal, and the event documented in "Events that SageMaker AI sends to EventBridge"."""
        self.account.journal.write(
            "pipeline",
            pipeline=self.pipeline["PipelineName"],
            execution=self.id,
            status=self.status,
            display_name=self.display_name,
            **({"reason": self.failure_reason} if self.failure_reason else {}),
        )
        ended = self.status not in ("Executing", "Stopping")
        detail = _present(
            pipelineExecutionDisplayName=self.display_name,
            pipelineExecutionDescription=self.description,
            currentPipelineExecutionStatus=self.status,
            previousPipelineExecutionStatus=before,
            executionStartTime=event_time(self.created),
            executionEndTime=event_time(self.modified) if ended else None,
            pipelineArn=self.pipeline["PipelineArn"],
            pipelineExecutionArn=self.arn,
        )
        self.account.put_event("aws.sagemaker", EVENT, detail, [self.pipeline["PipelineArn"], self.arn])

    def _scope(self) -> Scope:
        execution = {
            "CurrentDateTime": self.account.clock.now(),
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineExecutionArn": self.arn,
            "PipelineExecutionId": self.id,
            "PipelineName": self.pipeline["PipelineName"],
            "StartDateTime": self.created,
        }
        return Scope(self.parameters, execution, self._outputs, self._files, self._read)

    def _read(self, uri: str) -> bytes:
        s3 = roles.client(self.account, self.role_arn, SAGEMAKER, "s3")
        return Transfer(s3, self.role_arn, self.account.region).read(uri)

    def _sagemaker(self) -> Any:
        return roles.client(self.account, self.role_arn, SAGEMAKER, "sagemaker")


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
