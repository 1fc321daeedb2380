"""A training run that was started, and what SageMaker says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from domain.model_card import Card
from domain.settings import ReconcileSettings
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, NOW, Local, refused

PIPELINE = f"{DEPLOYMENT}-train"
EXECUTION = f"{ACCOUNT}:pipeline/{PIPELINE}/execution/abcdefghijkl"
SETTINGS = ReconcileSettings(
    deployment=DEPLOYMENT,
    pipeline_name=PIPELINE,
    artefacts_bucket="artefacts",
    data_bucket="data",
    kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/0-0",
    card=Card(owner="the flights team", risk_rating="Low").to_text(),
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
        self.cards: dict[str, dict[str, Any]] = {}
        self.card_error = ""
        self.registers = True
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
        if not self.registers:
            del steps[-1]
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

    def card(self, ModelCardName: str, **asked: Any) -> dict[str, Any]:
        if ModelCardName in self.cards or self.card_error:
            raise refused(self.card_error or "ConflictException", "no card")
        self.cards[ModelCardName] = asked
        return {"ModelCardArn": f"{ACCOUNT}:model-card/{ModelCardName}"}

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
    plan = {"run_id": run_id, "snapshot_id": "s-1", "cause": "push", "incident": "i", "commit": "c" * 40}
    body |= {
        "schema": {"task": "binary", "target": "late", "features": [{"name": "x", "kind": "number"}]},
        "binary_classification_metrics": {"auc": {"value": 0.75}, "mcc": {"value": None}},
        "intervals": {"auc": [0.7, 0.8], "mcc": None},
        "importance": [{"feature": "x", "loss_increase": 0.5}],
        "slices": [{"column": "x", "value": "1", "relative_difference": -0.1, "passed": True}],
        "plan": {**plan, "training_instance_type": "ml.c5.xlarge", "snapshot_rows": 900},
        "artefact": {"archive": f"{'1' * 64}:7"},
    }
    facet = {
        "value_or_threshold": "LGA",
        "metrics": [{"name": "DI", "value": 0.9}, {"name": "CI", "value": None}],
    }
    bias = {"post_training_bias_metrics": {"facets": {"origin": [facet]}}}
    local.put_json(f"s3://artefacts/runs/{run_id}/report/report.json", body)
    local.put_json(f"s3://artefacts/runs/{run_id}/report/bias.json", bias)


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
