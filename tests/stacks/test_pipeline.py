"""The training pipeline: SageMaker would take every request, every reference exists, and the gate alone registers."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.manifest import PARTS, SIGNATURE
from tests.stacks.pipeline_checker import all_steps, faults, gets
from tests.stacks.synthesis import Deployment

IMAGE = f"sha256:{'0' * 64}"
PARAMETERS = {
    "RunId": "run-a9b99571f4ddae14",
    "SnapshotId": "036f6be672132e94",
    "ContentId": "aff92a475ea7d565",
    "Cause": "alarm",
    "SnapshotUri": "s3://bucket/snapshots/1/manifest.json",
    "PartsUri": "s3://bucket/snapshots/1/parts.manifest",
    "TrainingInstanceType": "ml.c5.xlarge",
    "ProcessingInstanceType": "ml.c5.xlarge",
    "MaxRuntimeSeconds": 3600,
}


def definition_of(deployment: Deployment) -> dict[str, Any]:
    stack = deployment.stack_name("training")
    pipeline = deployment.templates["training"]["Resources"]["Pipeline"]["Properties"]
    body = pipeline["PipelineDefinition"]["PipelineDefinitionBody"]
    definition: dict[str, Any] = json.loads(deployment.world.under(stack, Image=IMAGE).resolve(stack, body))
    return definition


@pytest.fixture
def definition(dev: Deployment) -> dict[str, Any]:
    return definition_of(dev)


def step(definition: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (s for s in all_steps(definition["Steps"]) if s["Name"] == name)
    return found


def test_sagemaker_would_take_every_request_of_every_environment(deployment: Deployment) -> None:
    assert faults(definition_of(deployment), PARAMETERS) == []


def unknown_step(d: dict[str, Any]) -> None:
    step(d, "Train")["Arguments"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = {
        "Get": "Steps.Missing.X"
    }


def later_step(d: dict[str, Any]) -> None:
    step(d, "CheckData")["Arguments"]["Environment"]["MODEL"] = {
        "Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"
    }


def unknown_output(d: dict[str, Any]) -> None:
    step(d, "CheckData")["Arguments"]["ProcessingOutputConfig"]["Outputs"].pop(0)


def unknown_attribute(d: dict[str, Any]) -> None:
    step(d, "Evaluate")["Arguments"]["Environment"]["MODEL"] = {"Get": "Steps.Train.ModelArtifacts.Nothing"}


def unknown_parameter(d: dict[str, Any]) -> None:
    d["Parameters"] = [p for p in d["Parameters"] if p["Name"] != "RunId"]


def unknown_property_file(d: dict[str, Any]) -> None:
    step(d, "Evaluate")["PropertyFiles"][0]["OutputName"] = "elsewhere"


def unknown_key(d: dict[str, Any]) -> None:
    step(d, "Train")["Arguments"]["Colour"] = "blue"


def no_role(d: dict[str, Any]) -> None:
    del step(d, "Train")["Arguments"]["RoleArn"]


def bad_enum(d: dict[str, Any]) -> None:
    step(d, "Register")["Arguments"]["ModelApprovalStatus"] = "Fine"


def bad_pattern(d: dict[str, Any]) -> None:
    step(d, "Train")["Arguments"]["RoleArn"] = "arn:aws:iam::1:user/somebody-who-is-no-role"


def too_long(d: dict[str, Any]) -> None:
    step(d, "CheckData")["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"] = 10**7


@pytest.mark.parametrize(
    "break_it",
    [
        unknown_step,
        later_step,
        unknown_output,
        unknown_attribute,
        unknown_parameter,
        unknown_property_file,
        unknown_key,
        no_role,
        bad_enum,
        bad_pattern,
        too_long,
    ],
)
def test_the_checker_finds_what_is_broken(
    definition: dict[str, Any], break_it: Callable[[dict[str, Any]], None]
) -> None:
    broken = copy.deepcopy(definition)
    break_it(broken)
    assert len(faults(broken, PARAMETERS)) >= 1


def test_an_instance_type_that_sagemaker_does_not_know_is_found(definition: dict[str, Any]) -> None:
    (fault,) = faults(definition, PARAMETERS | {"TrainingInstanceType": "ml.c5.tiny"})
    assert "'ml.c5.tiny' is not one of" in fault


def test_a_run_needs_exactly_the_parameters_that_start_training_gives(definition: dict[str, Any]) -> None:
    assert {p["Name"] for p in definition["Parameters"]} == set(PARAMETERS)
    used = {
        reference.partition(".")[2] for reference in gets(definition) if reference.startswith("Parameters.")
    }
    assert used == set(PARAMETERS)


def test_data_is_checked_before_a_model_is_trained_and_judged(definition: dict[str, Any]) -> None:
    assert [s["Name"] for s in all_steps(definition["Steps"])] == [
        "CheckData",
        "Train",
        "Evaluate",
        "Gate",
        "Sign",
        "Register",
    ]


def test_only_a_model_that_passed_the_gate_is_registered(definition: dict[str, Any]) -> None:
    gate = step(definition, "Gate")["Arguments"]
    (condition,) = gate["Conditions"]
    assert condition["Type"] == "Equals"
    assert condition["RightValue"] is True
    assert condition["LeftValue"]["Std:JsonGet"] == {
        "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
        "Path": "gate.passed",
    }
    assert [s["Name"] for s in gate["IfSteps"]] == ["Sign", "Register"]
    assert gate["ElseSteps"] == []


def test_the_registered_model_is_the_one_that_was_trained_and_judged(definition: dict[str, Any]) -> None:
    trained = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
    (container,) = step(definition, "Register")["Arguments"]["InferenceSpecification"]["Containers"]
    judged = [i["S3Input"]["S3Uri"] for i in step(definition, "Evaluate")["Arguments"]["ProcessingInputs"]]
    assert container["ModelDataUrl"] == trained
    assert trained in judged
    assert (
        container["Image"]
        == step(definition, "Train")["Arguments"]["AlgorithmSpecification"]["TrainingImage"]
    )


def test_what_is_signed_is_what_is_registered(definition: dict[str, Any], dev: Deployment) -> None:
    """Of the very model data and image; and the package keeps all that the signature consists of."""
    sign, package = step(definition, "Sign"), step(definition, "Register")["Arguments"]
    (container,) = package["InferenceSpecification"]["Containers"]
    asked = sign["Arguments"]
    assert (asked["model_data"], asked["image"]) == (container["ModelDataUrl"], container["Image"])
    kept = package["CustomerMetadataProperties"]
    for name in (*PARTS, SIGNATURE):
        assert kept[name] == {"Get": f"Steps.Sign.OutputParameters['{name}']"}
    function = dev.function("sign_model")
    assert sign["FunctionArn"].endswith(
        (function.properties["FunctionName"], f"{function.logical_id}.Arn")
    ), sign
    digests = [one["ContentDigest"]["Get"] for one in leaves(package["ModelMetrics"])]
    assert len(digests) == 3 == len(set(digests))


def leaves(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The sources of metrics, however deep."""
    return [value] if "S3Uri" in value else [leaf for inner in value.values() for leaf in leaves(inner)]


@pytest.mark.parametrize(("environment", "status"), [("dev", "Approved"), ("prod", "PendingManualApproval")])
def test_production_waits_for_a_person(environment: str, status: str, request: pytest.FixtureRequest) -> None:
    definition = definition_of(request.getfixturevalue(environment))
    assert step(definition, "Register")["Arguments"]["ModelApprovalStatus"] == status


def test_every_job_is_encrypted_isolated_and_ends(definition: dict[str, Any]) -> None:
    training = step(definition, "Train")["Arguments"]
    assert training["EnableNetworkIsolation"] is True
    assert training["StoppingCondition"]["MaxRuntimeInSeconds"] == {"Get": "Parameters.MaxRuntimeSeconds"}
    assert training["ResourceConfig"]["VolumeKmsKeyId"] == training["OutputDataConfig"]["KmsKeyId"]
    for name in ("CheckData", "Evaluate"):
        job = step(definition, name)["Arguments"]
        assert job["NetworkConfig"] == {"EnableNetworkIsolation": True}
        assert job["StoppingCondition"]["MaxRuntimeInSeconds"] == 1800
        assert (
            job["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"]
            == job["ProcessingOutputConfig"]["KmsKeyId"]
        )


def test_all_that_a_run_writes_stands_under_its_own_id(definition: dict[str, Any]) -> None:
    written = [
        output["S3Output"]["S3Uri"]
        for name in ("CheckData", "Evaluate")
        for output in step(definition, name)["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    ]
    written.append(step(definition, "Train")["Arguments"]["OutputDataConfig"]["S3OutputPath"])
    for uri in written:
        base, run_id, *_ = uri["Std:Join"]["Values"]
        assert base.endswith("/runs")
        assert run_id == {"Get": "Parameters.RunId"}


def test_the_image_is_named_by_digest(dev: Deployment, definition: dict[str, Any]) -> None:
    uri = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev@{IMAGE}"
    assert step(definition, "Train")["Arguments"]["AlgorithmSpecification"]["TrainingImage"] == uri
    image = dev.templates["training"]["Parameters"]["Image"]
    assert image["Default"] == "none"
    assert image["AllowedPattern"] == "^(none|sha256:[0-9a-f]{64})$"


def test_there_is_no_pipeline_before_there_is_an_image(dev: Deployment) -> None:
    stack = "tideline-dev-training"
    assert dev.one("AWS::SageMaker::Pipeline").raw["Condition"] == "HasImage"
    assert dev.world.holds(stack, "HasImage") is False
    assert dev.world.under(stack, Image=IMAGE).holds(stack, "HasImage") is True


def test_a_package_says_where_it_comes_from(definition: dict[str, Any]) -> None:
    """Its run, snapshot, code and job; and every file of the report is one that evaluate writes."""
    package = step(definition, "Register")["Arguments"]
    metadata = package["CustomerMetadataProperties"]
    assert metadata["SnapshotId"] == {"Get": "Parameters.SnapshotId"}
    assert metadata["TrainingJob"] == {"Get": "Steps.Train.TrainingJobName"}
    assert metadata["Image"].endswith(f"@{IMAGE}")
    assert package["DriftCheckBaselines"]["ModelQuality"] == {
        name: one for name, one in package["ModelMetrics"]["ModelQuality"].items()
    }
