"""A training run that was started, and what SageMaker says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from domain.settings import ReconcileSettings
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, NOW, Local

PIPELINE = f"{DEPLOYMENT}-train"
EXECUTION = f"{ACCOUNT}:pipeline/{PIPELINE}/execution/abcdefghijkl"
SETTINGS = ReconcileSettings(
    deployment=DEPLOYMENT,
    pipeline_name=PIPELINE,
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    topic_arn="",
    choose_instance_function="tideline-dev-choose-instance",
    record_release_function="tideline-dev-record-release",
    approval="automatic",
    delivery_pipeline="tideline-delivery",
    delivery_stage="dev-Wait",
)
Reconcile = Callable[..., list[str]]


class Runs:
    """What SageMaker says of a pipeline's execution and of its jobs."""

    def __init__(self) -> None:
        self.status = "Succeeded"
        self.failure: str | None = None
        self.failed_steps: dict[str, str] = {}
        self.training: dict[str, Any] = {"BillableTimeInSeconds": 600}
        self.instance = {"InstanceType": "ml.c5.xlarge"}
        self.times: dict[str, Any] = {
            "ProcessingStartTime": NOW,
            "ProcessingEndTime": NOW + timedelta(seconds=90),
        }

    def execution(self, **_: Any) -> dict[str, Any]:
        reason = {"FailureReason": self.failure} if self.failure else {}
        return {"PipelineExecutionStatus": self.status, **reason}

    def steps(self, **_: Any) -> dict[str, Any]:
        job = {"Arn": f"{ACCOUNT}:processing-job/pipelines-abc-CheckData"}
        train = {"Arn": f"{ACCOUNT}:training-job/pipelines-abc-Train"}
        evaluate = {"Arn": f"{ACCOUNT}:processing-job/pipelines-abc-Evaluate"}
        steps: list[dict[str, Any]] = [
            {"StepName": "CheckData", "Metadata": {"ProcessingJob": job}},
            {"StepName": "Train", "Metadata": {"TrainingJob": train}},
            {"StepName": "Evaluate", "Metadata": {"ProcessingJob": evaluate}},
            {"StepName": "Gate", "Metadata": {"Condition": {"Outcome": "True"}}},
            {
                "StepName": "Register",
                "Metadata": {"RegisterModel": {"Arn": f"{ACCOUNT}:model-package/{DEPLOYMENT}/7"}},
            },
        ]
        for step in steps:
            if reason := self.failed_steps.get(step["StepName"]):
                step["FailureReason"] = reason
        return {"PipelineExecutionSteps": steps}

    def training_job(self, TrainingJobName: str) -> dict[str, Any]:
        return {
            "TrainingJobName": TrainingJobName,
            "TrainingJobArn": f"{ACCOUNT}:training-job/{TrainingJobName}",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://m"},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "ResourceConfig": {"InstanceCount": 1, "VolumeSizeInGB": 30, **self.instance},
            "StoppingCondition": {},
            "CreationTime": NOW,
            **self.training,
        }

    def processing_job(self, ProcessingJobName: str) -> dict[str, Any]:
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        return {
            "ProcessingJobName": ProcessingJobName,
            "ProcessingJobArn": f"{ACCOUNT}:processing-job/{ProcessingJobName}",
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": "i"},
            "ProcessingJobStatus": "Completed",
            "CreationTime": NOW,
            **self.times,
        }


def report(local: Local, *, passed: bool, run_id: str = "run-1") -> None:
    gate = {"passed": passed, "rule": "non-inferior", "reason": "2% better than the champion", "margin": 0.02}
    body = {"gate": gate, "loss": {"challenger": 0.1}, "rows": 900, "days": 14, "day_losses": []}
    local.put_json(f"s3://artefacts/runs/{run_id}/report/report.json", body)


def ended(pipeline: str = PIPELINE) -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
        "detail": {
            "pipelineArn": f"{ACCOUNT}:pipeline/{pipeline}",
            "pipelineExecutionArn": EXECUTION,
            "currentPipelineExecutionStatus": "Succeeded",
        },
    }
