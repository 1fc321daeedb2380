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
    function: PythonFunction,
    names: Names,
    deploy_role: iam.IRole,
    serving_stack: str,
    *,
    has_endpoint: bool,
) -> None:
    """See what is served and how it answered, delete what nothing runs, free the stack of a failed rollback."""
    stack = Stack.of(function)
    kinds = {"EndpointConfig": "endpoint-config", "Model": "model"} if has_endpoint else {"Model": "model"}
    own = [arn(stack, "sagemaker", f"{kind}/{names.deployment}{VERSIONED}") for kind in kinds.values()]
    endpoint = [arn(stack, "sagemaker", f"endpoint/{names.endpoint}")] if has_endpoint else []
    seen = [*(["Endpoint"] if has_endpoint else []), *kinds]
    function.allow([f"sagemaker:Describe{kind}" for kind in seen], [*endpoint, *own])
    function.allow([f"sagemaker:Delete{kind}" for kind in kinds], own)
    answered = ["cloudwatch:GetMetricStatistics"] if has_endpoint else []
    function.allow([*answered, "sagemaker:ListEndpointConfigs", "sagemaker:ListModels"], ["*"])
    serving = arn(stack, "cloudformation", f"stack/{serving_stack}/*")
    actions = ("DescribeStacks", "DescribeStackEvents", "ContinueUpdateRollback")
    function.allow([f"cloudformation:{action}" for action in actions], [serving])
    allow_pass_role(function.role, deploy_role, to="cloudformation.amazonaws.com")
