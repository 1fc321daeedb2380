"""What tells `record_release` of a release: Serving settled, or one of the release's own alarms fired."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_events as events

from domain.names import Names
from stacks.functions import PythonFunction
from stacks.permissions import arn

SETTLED = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED"]


def run_when_serving_settled(function: PythonFunction, serving_stack: str) -> None:
    stack = arn(Stack.of(function), "cloudformation", f"stack/{serving_stack}/")
    settled = events.EventPattern(
        source=["aws.cloudformation"],
        detail_type=["CloudFormation Stack Status Change"],
        detail={"stack-id": [{"prefix": stack}], "status-details": {"status": SETTLED}},
    )
    function.run_on("OnServingSettled", "The Serving stack ended an update", settled)


def run_on_rollback_alarm(function: PythonFunction, names: Names) -> None:
    # A release id begins with 0, and the environment in a neighbour's longer name with a letter.
    own = arn(Stack.of(function), "cloudwatch", f"alarm:{names.deployment}-0")
    fired = events.EventPattern(
        source=["aws.cloudwatch"],
        detail_type=["CloudWatch Alarm State Change"],
        resources=events.Match.prefix(own),
        detail={"state": {"value": ["ALARM"]}},
    )
    function.run_on("OnRollbackAlarm", "A rollback alarm of a release went red", fired)
