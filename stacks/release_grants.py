"""What the functions around a release may do to others: answer the delivery pipeline, look after Serving."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from domain.names import WAIT_ACTION, WAIT_STAGE, Names
from stacks.functions import PythonFunction
from stacks.permissions import allow_pass_role, arn
from stacks.serving_roles import VERSIONED


def may_answer_deliveries(function: PythonFunction, names: Names) -> None:
    """One approval action of one pipeline; without a delivery there is no such pipeline, and nobody waits."""
    pipeline = arn(Stack.of(function), "codepipeline", names.delivery_pipeline)
    approval = f"{pipeline}/{names.delivery_stage(WAIT_STAGE)}/{WAIT_ACTION}"
    function.allow(["codepipeline:GetPipelineState", "codepipeline:GetPipelineExecution"], [pipeline])
    function.allow(["codepipeline:PutApprovalResult"], [approval])


def may_look_after_serving(
    function: PythonFunction, names: Names, deploy_role: iam.IRole, serving_stack: str
) -> None:
    """See what the endpoint runs and answered, delete what nothing runs, free the stack of a failed rollback."""
    stack = Stack.of(function)
    kinds = ("endpoint-config", "model")
    own = [arn(stack, "sagemaker", f"{kind}/{names.deployment}{VERSIONED}") for kind in kinds]
    function.allow(
        ["sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"],
        [arn(stack, "sagemaker", f"endpoint/{names.endpoint}"), *own],
    )
    function.allow(["sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"], own)
    everywhere = [
        "cloudwatch:GetMetricStatistics",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListModels",
    ]
    function.allow(everywhere, ["*"])
    serving = arn(stack, "cloudformation", f"stack/{serving_stack}/*")
    actions = ("DescribeStacks", "DescribeStackEvents", "ContinueUpdateRollback")
    function.allow([f"cloudformation:{action}" for action in actions], [serving])
    allow_pass_role(function.role, deploy_role, to="cloudformation.amazonaws.com")
