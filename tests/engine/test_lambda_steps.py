"""A pipeline's Lambda step: called under the pipeline's role, and what it returned goes on to later steps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.runtime_world import World, world

CODE = """
def handler(event, context):
    if event["word"] == "bad":
        raise ValueError("no such word")
    return {"said": event["word"] * 2, "unasked": 1}
"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def definition(arn: str, output: str = "said", **changes: Any) -> dict[str, Any]:
    step = {
        "Name": "Say",
        "Type": "Lambda",
        "FunctionArn": arn,
        "Arguments": {"word": {"Get": "Parameters.Word"}},
        "OutputParameters": [{"OutputName": output, "OutputType": "String"}],
        **changes,
    }
    heard = {"Get": f"Steps.Say.OutputParameters['{output}']"}
    end = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": heard}}
    parameters = [{"Name": "Word", "Type": "String", "DefaultValue": "so"}]
    return {"Version": "2020-12-01", "Parameters": parameters, "Steps": [step, end]}


def run(
    aws: World, document: dict[str, Any], *, may_invoke: bool = True, **parameters: str
) -> dict[str, Any]:
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    role = aws.role("pipeline", trusts="sagemaker.amazonaws.com", statements=[invoke] if may_invoke else [])
    sagemaker = aws.account.client("sagemaker")
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=json.dumps(document), RoleArn=role)
    given = [{"Name": name, "Value": value} for name, value in parameters.items()]
    execution = sagemaker.start_pipeline_execution(PipelineName="p", PipelineParameters=given)
    aws.account.pump()
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution["PipelineExecutionArn"])
    return {step["StepName"]: step for step in steps["PipelineExecutionSteps"]}


def test_the_function_gets_the_arguments_and_a_later_step_its_output(aws: World) -> None:
    arn = aws.function(CODE)
    steps = run(aws, definition(arn), Word="ho")
    assert steps["Say"]["StepStatus"] == "Succeeded"
    outputs = [{"Name": "said", "Value": "hoho"}]
    assert steps["Say"]["Metadata"]["Lambda"] == {"Arn": arn, "OutputParameters": outputs}
    assert steps["End"]["FailureReason"] == "hoho"


def test_an_error_of_the_function_fails_the_step_with_its_words(aws: World) -> None:
    steps = run(aws, definition(aws.function(CODE)), Word="bad")
    assert set(steps) == {"Say"}
    assert steps["Say"]["StepStatus"] == "Failed"
    assert "ValueError: no such word" in steps["Say"]["FailureReason"]


def test_an_output_that_the_function_does_not_return_fails_the_step(aws: World) -> None:
    steps = run(aws, definition(aws.function(CODE), output="sung"))
    assert "did not return sung" in steps["Say"]["FailureReason"]


def test_a_pipeline_that_may_not_invoke_the_function_fails_there(aws: World) -> None:
    steps = run(aws, definition(aws.function(CODE)), may_invoke=False)
    assert "lambda:InvokeFunction" in steps["Say"]["FailureReason"]
    assert aws.facts("invocation") == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"OutputParameters": []}, "a Lambda step has no such attribute"),
        ({"OutputParameters": [{"OutputName": "said", "OutputType": "Bytes"}]}, "OutputType 'Bytes'"),
    ],
)
def test_a_definition_that_reads_what_is_not_declared_is_refused(
    aws: World, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        run(aws, definition("arn:aws:lambda:us-east-1:123456789012:function:work", **changes))
