"""What tells functions of runs, pushes and releases: a run ended, a push waits, Serving settled, an alarm fired."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_events as events

from domain.events import DELIVERY_ACTION
from domain.names import WAIT_STAGE, Names
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


def run_on_pipeline_end(function: PythonFunction, pipeline_arn: str) -> None:
    pattern = events.EventPattern(
        source=["aws.sagemaker"],
        detail_type=["SageMaker Model Building Pipeline Execution Status Change"],
        detail={
            "pipelineArn": [pipeline_arn],
            "currentPipelineExecutionStatus": ["Succeeded", "Failed", "Stopped"],
        },
    )
    function.run_on("OnPipelineEnd", "A training pipeline ended", pattern)


def run_when_a_push_waits(function: PythonFunction, names: Names) -> None:
    pattern = events.EventPattern(
        source=["aws.codepipeline"],
        detail_type=[DELIVERY_ACTION],
        detail={
            "pipeline": [names.delivery_pipeline],
            "stage": [names.delivery_stage(WAIT_STAGE)],
            "state": ["STARTED"],
        },
    )
    function.run_on("OnDeliveryWaits", "A push begins to wait for its release", pattern)
