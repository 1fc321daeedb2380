"""The events that start a handler, parsed strictly: what is not ours is an error of the wiring, not an input."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.names import ROLLBACK_ALARMS


class WrongEventError(ValueError):
    """An event reached a handler that must not get it; its rule matches too much."""


def utc(text: str) -> datetime:
    """An AWS time stamp as an aware datetime; one without an offset is UTC.

    >>> utc("2013-04-20T13:00:00Z").isoformat()
    '2013-04-20T13:00:00+00:00'
    """
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def iso(instant: datetime) -> str:
    """The form in which times are stored: seconds, UTC, ISO 8601, so that text sorts as time."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _require(event: Mapping[str, Any], source: str, detail_type: str) -> None:
    got = (event.get("source"), event.get("detail-type"))
    if got != (source, detail_type):
        raise WrongEventError(
            f"got an event {got}; allowed: {(source, detail_type)}; correct the rule's pattern"
        )


def _text(event: Mapping[str, Any], *path: str) -> str:
    """The text at a path into the event."""
    value: Any = event
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, str):
        raise WrongEventError(f"got {value!r} as {'.'.join(path)}; allowed: text; is this event from AWS?")
    return value


def _same(what: str, got: str, allowed: str) -> None:
    if got != allowed:
        raise WrongEventError(f"got {what} {got!r}; allowed: {allowed!r}; correct the rule's pattern")


def _time(event: Mapping[str, Any], *path: str) -> datetime:
    text = _text(event, *path)
    try:
        return utc(text)
    except (ValueError, OverflowError):
        raise WrongEventError(f"got {text!r} as {'.'.join(path)}; allowed: ISO 8601") from None


@dataclass(frozen=True)
class AlarmFired:
    alarm_name: str
    reason: str
    at: datetime
    """When it went red; DescribeAlarms gives the same time for as long as it stays so."""


def is_scheduled(event: Mapping[str, Any]) -> bool:
    """A schedule's turn, which says nothing but that it is time to look."""
    return event.get("detail-type") == "Scheduled Event"


def parse_alarm(event: Mapping[str, Any], *, alarm_name: str) -> AlarmFired:
    """The drift alarm going into ALARM, and nothing else."""
    _require(event, "aws.cloudwatch", "CloudWatch Alarm State Change")
    _same("the alarm", _text(event, "detail", "alarmName"), alarm_name)
    _same("the state", _text(event, "detail", "state", "value"), "ALARM")
    return AlarmFired(
        alarm_name, event["detail"]["state"].get("reason", ""), _time(event, "detail", "state", "timestamp")
    )


def parse_rollback_alarm(event: Mapping[str, Any], *, deployment: str) -> AlarmFired:
    """A rollback alarm of one of our releases going into ALARM."""
    _require(event, "aws.cloudwatch", "CloudWatch Alarm State Change")
    name = _text(event, "detail", "alarmName")
    kinds = "|".join(ROLLBACK_ALARMS)
    pattern = rf"{re.escape(deployment)}-\d{{6}}-[0-9a-f]{{8}}-rollback-({kinds})"
    if not re.fullmatch(pattern, name):
        raise WrongEventError(f"got the alarm {name!r}; allowed: {pattern}; correct the rule's pattern")
    _same("the state", _text(event, "detail", "state", "value"), "ALARM")
    return AlarmFired(
        name, event["detail"]["state"].get("reason", ""), _time(event, "detail", "state", "timestamp")
    )


@dataclass(frozen=True)
class PackageJudged:
    arn: str
    is_approved: bool
    at: datetime
    """The same however late or often the event comes."""
    changed: tuple[str, ...] = ()
    """The fields that were changed; nothing where the package was just made."""

    @property
    def is_judged(self) -> bool:
        """A change of anything else of a package that is Approved, its description say, approves nothing."""
        return not self.changed or "ModelApprovalStatus" in self.changed


def parse_approval(event: Mapping[str, Any], *, group: str) -> PackageJudged:
    """A package of our group that is Approved or Rejected; SageMaker may send the same one several times."""
    _require(event, "aws.sagemaker", "SageMaker Model Package State Change")
    _same("the model package group", _text(event, "detail", "ModelPackageGroupName"), group)
    status = _text(event, "detail", "ModelApprovalStatus")
    if status not in ("Approved", "Rejected"):
        raise WrongEventError(
            f"got the approval status {status!r}; allowed: 'Approved', 'Rejected'; correct the rule's pattern"
        )
    changed = tuple(event["detail"].get("UpdatedModelPackageFields") or ())
    arn = _text(event, "detail", "ModelPackageArn")
    return PackageJudged(arn, status == "Approved", _time(event, "time"), changed)


@dataclass(frozen=True)
class StackSettled:
    status: str
    reason: str


def parse_stack_settled(event: Mapping[str, Any], *, stack: str) -> StackSettled:
    """The Serving stack reached a status at which it takes updates again, or is stuck."""
    _require(event, "aws.cloudformation", "CloudFormation Stack Status Change")
    arn = _text(event, "detail", "stack-id")
    _same("the stack", "".join(arn.split("/")[1:2]), stack)
    status = _text(event, "detail", "status-details", "status")
    return StackSettled(status, event["detail"]["status-details"].get("status-reason") or "")


@dataclass(frozen=True)
class PipelineEnded:
    execution_arn: str
    status: str


def parse_pipeline_ended(event: Mapping[str, Any], *, pipeline: str) -> PipelineEnded:
    """An execution of our pipeline changed its status."""
    _require(event, "aws.sagemaker", "SageMaker Model Building Pipeline Execution Status Change")
    _same("the pipeline", _text(event, "detail", "pipelineArn").rsplit("/", 1)[-1], pipeline)
    execution = _text(event, "detail", "pipelineExecutionArn")
    return PipelineEnded(execution, _text(event, "detail", "currentPipelineExecutionStatus"))


def parse_transform_ended(event: Mapping[str, Any], *, deployment: str) -> str:
    """The name of a transform of ours that ended."""
    _require(event, "aws.sagemaker", "SageMaker Transform Job State Change")
    job = _text(event, "detail", "TransformJobName")
    pattern = rf"{re.escape(deployment)}-\d{{8}}-\d{{4}}"
    if not re.fullmatch(pattern, job):
        raise WrongEventError(f"got the transform {job!r}; allowed: {pattern}; correct the rule's pattern")
    return job


DELIVERY_ACTION = "CodePipeline Action Execution State Change"


@dataclass(frozen=True)
class DeliveryWaits:
    execution: str


def parse_delivery_waits(event: Mapping[str, Any], *, pipeline: str, stage: str) -> DeliveryWaits:
    """A push came to the approval in which it waits for a release."""
    _require(event, "aws.codepipeline", DELIVERY_ACTION)
    _same("the pipeline", _text(event, "detail", "pipeline"), pipeline)
    _same("the stage", _text(event, "detail", "stage"), stage)
    _same("the state", _text(event, "detail", "state"), "STARTED")
    return DeliveryWaits(_text(event, "detail", "execution-id"))


def month_of(now: datetime) -> str:
    """The budget month, UTC."""
    return f"{now:%Y-%m}"
