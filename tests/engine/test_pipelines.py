"""A pipeline's definition is checked when it is made, and its steps really run."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.sagemaker_world import BUCKET, World, world

__all__ = ["world"]

EVENT = "SageMaker Model Building Pipeline Execution Status Change"
Edit = Callable[[dict[str, Any]], Any]


def get(path: str) -> dict[str, str]:
    return {"Get": path}


def definition(world: World) -> dict[str, Any]:
    """Train, report, and register what is good enough."""
    training = world.training(
        HyperParameters={"score": get("Parameters.Score")},
        ResourceConfig={
            "InstanceCount": 1,
            "InstanceType": get("Parameters.InstanceType"),
            "VolumeSizeInGB": 5,
        },
    )
    processing = world.processing(Environment={"SCORE": get("Parameters.Score")})
    processing["ProcessingInputs"][0]["S3Input"]["S3Uri"] = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    folder = [f"s3://{BUCKET}/runs", get("Execution.PipelineExecutionId")]
    processing["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = {
        "Std:Join": {"On": "/", "Values": folder}
    }
    container = {"Image": world.image, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    register = {
        "ModelPackageGroupName": "churn",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": {"instance": get("Steps.Train.ResourceConfig.InstanceType")},
    }
    report = get("Steps.Report.PropertyFiles.Report")
    good_enough = {
        "Type": "GreaterThanOrEqualTo",
        "LeftValue": {"Std:JsonGet": {"PropertyFile": report, "Path": "score"}},
        "RightValue": get("Parameters.Needed"),
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "Score", "Type": "String", "DefaultValue": "0.8"},
            {"Name": "Needed", "Type": "Float", "DefaultValue": 0.5},
            {"Name": "InstanceType", "Type": "String", "EnumValues": ["ml.m5.large", "ml.c7i.large"]},
        ],
        "Steps": [
            {
                "Name": "Gate",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [good_enough],
                    "IfSteps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": register}],
                    "ElseSteps": [
                        {
                            "Name": "TooBad",
                            "Type": "Fail",
                            "Arguments": {
                                "ErrorMessage": {
                                    "Std:Join": {"On": " ", "Values": ["score", get("Parameters.Score")]}
                                }
                            },
                        }
                    ],
                },
            },
            {
                "Name": "Report",
                "Type": "Processing",
                "Arguments": processing,
                "PropertyFiles": [
                    {"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}
                ],
            },
            {"Name": "Train", "Type": "Training", "Arguments": training},
        ],
    }


class Pipelines:
    """Pipelines of the shared account, each under a name of its own."""

    numbers = itertools.count()

    def __init__(self, world: World) -> None:
        self.world = world
        self.sagemaker = world.sagemaker
        world.sagemaker.create_model_package_group(ModelPackageGroupName="churn")

    def make(self, edit: Edit = lambda _: None, **more: Any) -> str:
        document = definition(self.world)
        edit(document)
        name = f"pipeline-{next(self.numbers)}"
        self.sagemaker.create_pipeline(
            PipelineName=name,
            PipelineDefinition=json.dumps(document),
            **{"RoleArn": self.world.role, **more},
        )
        return name

    def start(self, name: str, *, token: str | None = None, **parameters: str) -> str:
        given = {"InstanceType": "ml.m5.large", **parameters}
        arn: str = self.sagemaker.start_pipeline_execution(
            PipelineName=name,
            PipelineExecutionDisplayName="a-run",
            PipelineParameters=[{"Name": key, "Value": value} for key, value in given.items()],
            **({"ClientRequestToken": token} if token else {}),
        )["PipelineExecutionArn"]
        return arn

    def run(self, edit: Edit = lambda _: None, **parameters: str) -> str:
        arn = self.start(self.make(edit), **parameters)
        self.world.account.pump()
        return arn

    def describe(self, arn: str) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return described

    def steps(self, arn: str) -> dict[str, dict[str, Any]]:
        """The steps by name, in the order in which they began."""
        listed = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        return {step["StepName"]: step for step in listed["PipelineExecutionSteps"]}


@pytest.fixture(scope="module")
def pipelines(world: World) -> Pipelines:
    return Pipelines(world)


def step(document: dict[str, Any], name: str) -> dict[str, Any]:
    inner = document["Steps"][0]["Arguments"]
    found = [*document["Steps"], *inner["IfSteps"], *inner["ElseSteps"]]
    return next(item for item in found if item["Name"] == name)


def test_steps_run_in_the_order_of_their_data_and_register_a_model(pipelines: Pipelines) -> None:
    arn = pipelines.run()
    steps = pipelines.steps(arn)

    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert list(steps) == ["Train", "Report", "Gate", "Register"]
    assert {item["StepStatus"] for item in steps.values()} == {"Succeeded"}
    assert steps["Gate"]["Metadata"]["Condition"] == {"Outcome": "True"}
    package = pipelines.sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    job = pipelines.sagemaker.describe_training_job(
        TrainingJobName=steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    )
    assert (
        package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        == job["ModelArtifacts"]["S3ModelArtifacts"]
    )
    assert package["CustomerMetadataProperties"] == {"instance": "ml.m5.large"}
    assert package["MetadataProperties"] == {"GeneratedBy": arn}


def test_jobs_are_named_after_the_execution_and_the_step(pipelines: Pipelines) -> None:
    arn = pipelines.run()
    execution = arn.rpartition("/")[2]
    name = pipelines.steps(arn)["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]

    assert name.startswith(f"pipelines-{execution}-Train-")
    assert [facts["step"] for facts in pipelines.world.journal("job") if execution in facts["job"]] == [
        "Train",
        "Report",
    ]


def test_a_false_condition_takes_the_other_branch_and_fails_with_its_message(pipelines: Pipelines) -> None:
    arn = pipelines.run(Score="0.4")
    steps, described = pipelines.steps(arn), pipelines.describe(arn)

    assert list(steps) == ["Train", "Report", "Gate", "TooBad"]
    assert steps["Gate"]["Metadata"]["Condition"] == {"Outcome": "False"}
    assert steps["TooBad"]["Metadata"]["Fail"] == {"ErrorMessage": "score 0.4"}
    assert (described["PipelineExecutionStatus"], described["FailureReason"]) == ("Failed", "score 0.4")


def test_a_failing_job_fails_the_step_and_the_execution(pipelines: Pipelines) -> None:
    def fail(document: dict[str, Any]) -> None:
        step(document, "Train")["Arguments"]["HyperParameters"]["fail"] = "no signal"

    arn = pipelines.run(fail)
    described = pipelines.describe(arn)

    assert list(pipelines.steps(arn)) == ["Train"]
    assert pipelines.steps(arn)["Train"]["FailureReason"] == "AlgorithmError: no signal, exit code: 3"
    assert described["PipelineExecutionStatus"] == "Failed"
    assert described["FailureReason"] == "Step failure: One or multiple steps failed."


def test_a_request_that_sagemaker_refuses_fails_the_step_with_its_words(pipelines: Pipelines) -> None:
    def untrusted(document: dict[str, Any]) -> None:
        role = pipelines.world.new_role("not-for-sagemaker", "lambda.amazonaws.com")
        step(document, "Train")["Arguments"]["RoleArn"] = role

    reason = pipelines.steps(pipelines.run(untrusted))["Train"]["FailureReason"]

    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: ")
    assert "Could not assume role" in reason


def test_the_start_answers_at_once_and_the_run_waits_for_the_pump(pipelines: Pipelines) -> None:
    arn = pipelines.start(pipelines.make())

    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "Executing"
    assert pipelines.steps(arn) == {}
    pipelines.world.account.pump()
    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "Succeeded"


def test_the_start_and_the_end_are_events(pipelines: Pipelines) -> None:
    arn = pipelines.run()
    first, last = [
        detail for detail in pipelines.world.events(EVENT) if detail["pipelineExecutionArn"] == arn
    ]

    assert first["currentPipelineExecutionStatus"] == "Executing"
    assert not {"previousPipelineExecutionStatus", "executionEndTime"} & set(first)
    assert last["currentPipelineExecutionStatus"] == "Succeeded"
    assert last["previousPipelineExecutionStatus"] == "Executing"
    assert last["pipelineExecutionDisplayName"] == "a-run"
    assert last["executionStartTime"] < last["executionEndTime"]
    assert last["pipelineArn"] == arn.partition("/execution/")[0]


def test_the_same_token_starts_one_run(pipelines: Pipelines) -> None:
    name = pipelines.make()
    first = pipelines.start(name, token="a" * 32)
    again = pipelines.start(name, token="a" * 32)
    other = pipelines.start(name, token="b" * 32)
    pipelines.world.account.pump()
    listed = pipelines.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]

    assert first == again != other
    assert [item["PipelineExecutionArn"] for item in listed] == [other, first]


def test_execution_ids_do_not_depend_on_chance(pipelines: Pipelines) -> None:
    name = pipelines.make()
    ids = [pipelines.start(name).rpartition("/")[2] for _ in range(2)]
    pipelines.world.account.pump()

    assert len(set(ids)) == 2
    assert all(len(item) == 12 and item.isalnum() for item in ids)
    from rehearsal.engine.pipeline_executions import execution_id

    arn = f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{name}"
    assert ids == [execution_id(arn, number) for number in range(2)]


@pytest.mark.parametrize(
    "parameters, reason",
    [
        ([], "missing without a default \\['InstanceType'\\]"),
        ([("InstanceType", "ml.m5.large"), ("Colour", "red")], "unknown \\['Colour'\\]"),
        ([("InstanceType", "ml.p5.48xlarge")], "allowed: \\['ml.m5.large', 'ml.c7i.large'\\]"),
        ([("InstanceType", "ml.m5.large"), ("Needed", "much")], "'much' is not of type Float"),
    ],
)
def test_parameters_are_checked_at_the_start(
    pipelines: Pipelines, parameters: list[tuple[str, str]], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason) as caught:
        pipelines.sagemaker.start_pipeline_execution(
            PipelineName=pipelines.make(),
            PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters],
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def edit_arguments(name: str, **changes: Any) -> Edit:
    return lambda document: step(document, name)["Arguments"].update(changes)


@pytest.mark.parametrize(
    "edit, reason",
    [
        (edit_arguments("Train", RoleArn=get("Parameters.Rolle")), "Parameters.Rolle: no such parameter"),
        (edit_arguments("Report", Environment={"X": get("Steps.Trainn.RoleArn")}), "no such step"),
        (
            edit_arguments("Report", Environment={"X": get("Steps.Train.Artifacts")}),
            "Steps.Train.Artifacts: a Training step has no such attribute",
        ),
        (edit_arguments("Report", Environment={"X": get("Execution.Id")}), "Execution.Id: no such variable"),
        (
            edit_arguments("Train", ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m5.huge"}),
            "ml.m5.huge.*enum value set",
        ),
        (edit_arguments("Train", HyperParams={}), "Unknown parameter 'HyperParams'"),
        (
            edit_arguments("Train", StoppingCondition=None, OutputDataConfig=None),
            "OutputDataConfig.*not be null",
        ),
        (lambda document: step(document, "Train").update(DependsOn=["Ghost"]), "DependsOn Ghost"),
        (lambda document: step(document, "Train").update(DependsOn=["Report"]), "wait for one another"),
        (lambda document: step(document, "Train").update(Name="Report"), "Report is used twice"),
        (
            lambda document: step(document, "Report")["PropertyFiles"][0].update(OutputName="other"),
            "output 'other', which the step does not have",
        ),
        (
            lambda document: step(document, "Gate")["Arguments"]["Conditions"][0].update(Type="AtLeast"),
            "condition type 'AtLeast'",
        ),
        (lambda document: document.pop("Steps"), "Unable to parse pipeline definition: KeyError: 'Steps'"),
    ],
)
def test_a_definition_that_cannot_run_is_refused(pipelines: Pipelines, edit: Edit, reason: str) -> None:
    with pytest.raises(ClientError, match=reason) as caught:
        pipelines.make(edit)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_definition_that_is_no_json_is_refused(pipelines: Pipelines) -> None:
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        pipelines.sagemaker.create_pipeline(
            PipelineName="garbage", PipelineDefinition="{oops", RoleArn=pipelines.world.role
        )


def test_a_step_type_that_is_not_built_stops_by_name(pipelines: Pipelines) -> None:
    with pytest.raises(ClientError, match="step Train of type Tuning; built: Processing, Training"):
        pipelines.make(lambda document: step(document, "Train").update(Type="Tuning"))


def test_a_role_that_sagemaker_cannot_assume_is_refused(pipelines: Pipelines) -> None:
    role = pipelines.world.new_role("pipeline-of-lambda", "lambda.amazonaws.com")
    with pytest.raises(ClientError, match="Could not assume role"):
        pipelines.make(RoleArn=role)


def test_an_update_takes_effect_for_the_next_execution(pipelines: Pipelines) -> None:
    name = pipelines.make()
    before = pipelines.start(name)
    document = definition(pipelines.world)
    document["Parameters"][0]["DefaultValue"] = "0.1"
    answer = pipelines.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=json.dumps(document))
    after = pipelines.start(name)
    pipelines.world.account.pump()

    assert answer["PipelineVersionId"] == 2
    assert pipelines.describe(before)["PipelineExecutionStatus"] == "Succeeded"
    assert pipelines.describe(after)["FailureReason"] == "score 0.1"


def test_a_stopped_execution_runs_no_further_step(pipelines: Pipelines) -> None:
    arn = pipelines.start(pipelines.make())
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="c" * 32)
    pipelines.world.account.pump()

    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "Stopped"
    assert pipelines.steps(arn) == {}


@pytest.mark.parametrize(
    "condition, outcome",
    [
        ({"Type": "Equals", "LeftValue": get("Parameters.Score"), "RightValue": "0.8"}, "True"),
        ({"Type": "LessThan", "LeftValue": get("Parameters.Needed"), "RightValue": 0.5}, "False"),
        ({"Type": "LessThanOrEqualTo", "LeftValue": get("Parameters.Needed"), "RightValue": 0.5}, "True"),
        ({"Type": "In", "QueryValue": get("Parameters.Score"), "Values": ["0.8", "0.9"]}, "True"),
        (
            {
                "Type": "Not",
                "Expression": {"Type": "Equals", "LeftValue": get("Parameters.Score"), "RightValue": "0.8"},
            },
            "False",
        ),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "GreaterThan", "LeftValue": get("Parameters.Needed"), "RightValue": 9},
                    {"Type": "GreaterThan", "LeftValue": get("Parameters.Needed"), "RightValue": 0.1},
                ],
            },
            "True",
        ),
    ],
)
def test_a_condition_means_what_it_says(
    pipelines: Pipelines, condition: dict[str, Any], outcome: str
) -> None:
    def only_the_gate(document: dict[str, Any]) -> None:
        document["Steps"] = [
            {
                "Name": "Gate",
                "Type": "Condition",
                "Arguments": {"Conditions": [condition], "IfSteps": [], "ElseSteps": []},
            }
        ]

    arn = pipelines.run(only_the_gate)
    assert pipelines.steps(arn)["Gate"]["Metadata"]["Condition"] == {"Outcome": outcome}


def test_a_property_that_is_not_in_the_file_fails_the_step(pipelines: Pipelines) -> None:
    def misspelt(document: dict[str, Any]) -> None:
        gate = step(document, "Gate")["Arguments"]["Conditions"][0]
        gate["LeftValue"]["Std:JsonGet"]["Path"] = "metrics.auc"

    arn = pipelines.run(misspelt)

    assert "there is no 'metrics'" in pipelines.steps(arn)["Gate"]["FailureReason"]
