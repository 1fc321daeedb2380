"""Code and roles agree: a handler may do what it calls, and nothing is granted that nobody calls."""

from __future__ import annotations

import pytest

from tests.contracts.call_graph import actions_of
from tests.stacks.synthesis import Deployment, listed

HANDLERS = (
    "build_snapshot",
    "check_drift",
    "choose_instance",
    "reconcile",
    "record_release",
    "release_model",
    "retrain",
    "sign_model",
    "start_training",
)
BATCH = ("record_transform", "start_transform")
"""Where the model serves by batch."""
BY_LAMBDA_ITSELF = {
    "kms:Decrypt": "the environment, and what S3, DynamoDB and SQS hold for the function",
    "kms:GenerateDataKey": "dead letters, and what the function writes to S3 and SNS",
    "logs:CreateLogStream": "the function's log group",
    "logs:PutLogEvents": "the function's log group",
    "sqs:SendMessage": "what failed goes to the dead letters",
    "xray:PutTelemetryRecords": "traces",
    "xray:PutTraceSegments": "traces",
}
"""Granted to every function for what Lambda and other services do under its role."""
BY_OTHERS = {
    "retrain": {
        "sqs:ChangeMessageVisibility": "the event source mapping",
        "sqs:DeleteMessage": "the event source mapping",
        "sqs:GetQueueAttributes": "the event source mapping",
        "sqs:GetQueueUrl": "the event source mapping",
        "sqs:ReceiveMessage": "the event source mapping",
    },
    "record_release": {
        "iam:PassRole": "CloudFormation goes on with a rollback under Serving's deploy role",
    },
    "start_transform": {
        "kms:CreateGrant": "SageMaker, for the volumes of the instances",
        "kms:DescribeKey": "SageMaker, for the volumes of the instances",
    },
    "release_model": {
        "iam:PassRole": "CloudFormation goes on under Serving's deploy role, which AWS's guide wants passed again",
    },
}
"""Granted to one function for what a service does on its behalf."""


def granted(deployment: Deployment, handler: str) -> set[str]:
    role = deployment.function(handler).properties["Role"].rsplit("/", 1)[1]
    return {action for statement in deployment.policies_of(role) for action in listed(statement["Action"])}


def test_every_handler_is_looked_at(dev: Deployment) -> None:
    found = {f.properties["Handler"].split(".")[1] for f in dev.of_type("AWS::Lambda::Function")}
    assert found == set(HANDLERS)


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_may_do_all_that_it_calls(dev: Deployment, handler: str) -> None:
    assert actions_of(handler) - granted(dev, handler) == set()


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_may_do_nothing_that_it_never_calls(dev: Deployment, handler: str) -> None:
    explained = set(BY_LAMBDA_ITSELF) | set(BY_OTHERS.get(handler, {}))
    assert granted(dev, handler) - actions_of(handler) == explained


@pytest.mark.parametrize("handler", BATCH)
def test_a_handler_of_a_batch_may_do_what_it_calls_and_nothing_else(
    nightly: Deployment, handler: str
) -> None:
    explained = set(BY_LAMBDA_ITSELF) | set(BY_OTHERS.get(handler, {}))
    assert granted(nightly, handler) == actions_of(handler) | explained


def test_the_scan_sees_calls_through_helpers_methods_and_the_ledger() -> None:
    assert actions_of("choose_instance") == set()
    assert {
        "cloudwatch:PutMetricData",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    } == actions_of("check_drift")
    assert {"dynamodb:UpdateItem", "sagemaker:StartPipelineExecution"} <= actions_of("start_training")
