"""What the SageMaker tests share: an account with an image, a bucket, roles and a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import Account, images

IMAGE = Path(__file__).parent / "image"
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BUCKET = "data"


class World:
    """An account and what most tests need in it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sagemaker = account.client("sagemaker")
        self.s3 = account.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self.role = self.new_role("sagemaker-role", "sagemaker.amazonaws.com")
        account.client("ecr").create_repository(repositoryName="models")
        self.image = images.build(
            account, context=IMAGE, dockerfile=IMAGE / "Dockerfile", repository="models", tag="v1"
        )

    def new_role(self, name: str, service: str) -> str:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam = self.account.client("iam")
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
        return arn

    def put(self, key: str, body: str | bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]

    def journal(self, kind: str) -> list[dict[str, Any]]:
        return [entry.facts for entry in self.account.journal.of(kind)]

    def events(self, detail_type: str) -> list[dict[str, Any]]:
        return [facts["detail"] for facts in self.journal("event") if facts["detail_type"] == detail_type]

    def training(self, **changes: Any) -> dict[str, Any]:
        """The request of a training job on the two rows of train/."""
        return {
            "AlgorithmSpecification": {
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "validation:score", "Regex": "validation:score=([0-9.]+);"}],
            },
            "RoleArn": self.role,
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/train/"}
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "HyperParameters": {},
            **changes,
        }

    def processing(self, **changes: Any) -> dict[str, Any]:
        """The request of a processing job that reports on train/."""
        return {
            "AppSpecification": {
                "ImageUri": self.image,
                "ContainerEntrypoint": ["python", "-m", "model"],
                "ContainerArguments": ["process"],
            },
            "RoleArn": self.role,
            "ProcessingInputs": [
                {
                    "InputName": "rows",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/train",
                        "LocalPath": "/opt/ml/processing/input/rows",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "report",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/reports",
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 5}
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            **changes,
        }

    def train(self, name: str, **changes: Any) -> dict[str, Any]:
        """Create a training job, let it run, and describe it."""
        self.sagemaker.create_training_job(TrainingJobName=name, **self.training(**changes))
        self.account.pump()
        described: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return described

    def process(self, name: str, **changes: Any) -> dict[str, Any]:
        self.sagemaker.create_processing_job(ProcessingJobName=name, **self.processing(**changes))
        self.account.pump()
        described: dict[str, Any] = self.sagemaker.describe_processing_job(ProcessingJobName=name)
        return described


@pytest.fixture(scope="module")  # an account takes over a second; tests use names of their own in it
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Account(start=START, directory=tmp_path_factory.mktemp("account")) as account:
        world = World(account)
        world.put("train/a.csv", "1\n")
        world.put("train/more/b.csv", "3\n")
        yield world
