"""The training pipeline as plain values: check data -> train -> evaluate -> gate -> sign -> register.

CDK tokens go in as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from config.schema import Config
from domain.manifest import PARTS, SIGNATURE
from domain.names import Prefix
from domain.training_run import PROCESSING_MAX_MINUTES
from stacks import job_environment

ML = "/opt/ml/processing"
VOLUME_GIB = 30
LINEAGE = ("RunId", "SnapshotId", "ContentId", "Cause", "TrainingInstanceType", "ProcessingInstanceType")
"""Parameters of the pipeline that the package keeps."""


@dataclass(frozen=True)
class Wiring:
    """What the definition needs from the stacks, as text or tokens."""

    image: str
    job_role_arn: str
    artefacts_bucket: str
    kms_key_arn: str
    model_package_group: str
    approval_status: str
    sign_function_arn: str
    config: Config


def parameter(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def run_uri(wiring: Wiring, *tail: str) -> dict[str, Any]:
    """s3://<artefacts>/runs/<run id>/<tail>: all that one run writes stands together."""
    base = f"s3://{wiring.artefacts_bucket}/{Prefix.RUNS.rstrip('/')}"
    return {"Std:Join": {"On": "/", "Values": [base, parameter("RunId"), *tail]}}


def _input(name: str, uri: Any, *, data_type: str = "S3Prefix") -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"{ML}/{name}",
            "S3DataType": data_type,
            "S3InputMode": "File",
        },
    }


def _output(wiring: Wiring, name: str) -> dict[str, Any]:
    location = {"S3Uri": run_uri(wiring, name), "LocalPath": f"{ML}/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": location}


def _output_uri(step: str, name: str) -> dict[str, str]:
    return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}


def _processing(
    wiring: Wiring,
    name: str,
    command: str,
    *,
    inputs: list[dict[str, Any]],
    outputs: list[str],
    environment: dict[str, str],
) -> dict[str, Any]:
    cluster = {
        "InstanceCount": 1,
        "InstanceType": parameter("ProcessingInstanceType"),
        "VolumeSizeInGB": VOLUME_GIB,
        "VolumeKmsKeyId": wiring.kms_key_arn,
    }
    arguments = {
        "RoleArn": wiring.job_role_arn,
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": wiring.image,
            "ContainerEntrypoint": ["python", "-m", "training", command],
        },
        "Environment": environment,
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {
            "KmsKeyId": wiring.kms_key_arn,
            "Outputs": [_output(wiring, output) for output in outputs],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": PROCESSING_MAX_MINUTES * 60},
        "NetworkConfig": {"EnableNetworkIsolation": True},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def check_data_step(wiring: Wiring) -> dict[str, Any]:
    return _processing(
        wiring,
        "CheckData",
        "prepare",
        inputs=[
            _input("snapshot", parameter("SnapshotUri")),
            _input("parts", parameter("PartsUri"), data_type="ManifestFile"),
        ],
        outputs=["train", "test", "checks"],
        environment=job_environment.check_data(wiring.config),
    )


def train_step(wiring: Wiring) -> dict[str, Any]:
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": _output_uri("CheckData", "train")}
        },
    }
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": wiring.image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:loss", "Regex": r"train:loss=([0-9.eE+-]+)"}],
        },
        "RoleArn": wiring.job_role_arn,
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": parameter("TrainingInstanceType"),
            "VolumeSizeInGB": VOLUME_GIB,
            "VolumeKmsKeyId": wiring.kms_key_arn,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": parameter("MaxRuntimeSeconds")},
        "InputDataConfig": [channel],
        "OutputDataConfig": {"S3OutputPath": run_uri(wiring, "model"), "KmsKeyId": wiring.kms_key_arn},
        "EnableNetworkIsolation": True,
    }
    return {"Name": "Train", "Type": "Training", "Arguments": arguments}


MODEL_DATA = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}


def evaluate_step(wiring: Wiring) -> dict[str, Any]:
    step = _processing(
        wiring,
        "Evaluate",
        "evaluate",
        inputs=[
            _input("model", MODEL_DATA),
            _input("train", _output_uri("CheckData", "train")),
            _input("test", _output_uri("CheckData", "test")),
            _input("checks", _output_uri("CheckData", "checks")),
            _input("plan", run_uri(wiring, "plan")),
        ],
        outputs=["report"],
        environment=job_environment.evaluate(wiring.config),
    )
    report = {"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}
    return {**step, "PropertyFiles": [report]}


DIGESTS = {"report.json": "ReportDigest", "profile.json": "ProfileDigest", "bias.json": "BiasDigest"}


def sign_step(wiring: Wiring) -> dict[str, Any]:
    """The function looks at the artefact, and signs what it found."""
    outputs = (*PARTS, SIGNATURE, "Commit", *DIGESTS.values())
    return {
        "Name": "Sign",
        "Type": "Lambda",
        "FunctionArn": wiring.sign_function_arn,
        "Arguments": {"run_id": parameter("RunId"), "model_data": MODEL_DATA, "image": wiring.image},
        "OutputParameters": [{"OutputName": name, "OutputType": "String"} for name in outputs],
    }


def signed(name: str) -> dict[str, str]:
    return {"Get": f"Steps.Sign.OutputParameters['{name}']"}


def register_step(wiring: Wiring) -> dict[str, Any]:
    def source(file: str) -> dict[str, Any]:
        uri, digest = run_uri(wiring, "report", file), signed(DIGESTS[file])
        return {"ContentType": "application/json", "S3Uri": uri, "ContentDigest": digest}

    arguments = {
        "ModelPackageGroupName": wiring.model_package_group,
        "ModelApprovalStatus": wiring.approval_status,
        "InferenceSpecification": {
            "Containers": [{"Image": wiring.image, "ModelDataUrl": MODEL_DATA}],
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        "ModelMetrics": {
            "ModelQuality": {"Statistics": source("report.json")},
            "ModelDataQuality": {"Statistics": source("profile.json")},
            "Bias": {"Report": source("bias.json")},
        },
        "DriftCheckBaselines": {
            "ModelQuality": {"Statistics": source("report.json")},
            "ModelDataQuality": {"Statistics": source("profile.json")},
        },
        "MetadataProperties": {
            "GeneratedBy": {"Get": "Execution.PipelineExecutionArn"},
            "CommitId": signed("Commit"),
        },
        "CustomerMetadataProperties": {
            **{name: parameter(name) for name in LINEAGE},
            "TrainingJob": {"Get": "Steps.Train.TrainingJobName"},
            "Image": wiring.image,
            **{name: signed(name) for name in (*PARTS, SIGNATURE)},
        },
    }
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}


def gate_step(wiring: Wiring) -> dict[str, Any]:
    passed = {
        "Type": "Equals",
        "LeftValue": {
            "Std:JsonGet": {
                "PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.Report"},
                "Path": "gate.passed",
            }
        },
        "RightValue": True,
    }
    arguments = {
        "Conditions": [passed],
        "IfSteps": [sign_step(wiring), register_step(wiring)],
        "ElseSteps": [],
    }
    return {"Name": "Gate", "Type": "Condition", "Arguments": arguments}


def pipeline_definition(wiring: Wiring) -> dict[str, Any]:
    """The whole definition, in the schema of 2020-12-01. A refused model ends the run well, without a package."""
    of_run = ("RunId", "SnapshotId", "ContentId", "Cause")
    text = (*of_run, "SnapshotUri", "PartsUri", "TrainingInstanceType", "ProcessingInstanceType")
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            *({"Name": name, "Type": "String"} for name in text),
            {"Name": "MaxRuntimeSeconds", "Type": "Integer", "DefaultValue": 3600},
        ],
        "Steps": [check_data_step(wiring), train_step(wiring), evaluate_step(wiring), gate_step(wiring)],
    }
