"""A transform asks the model's own server for each file, and writes what succeeded as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine.transform_jobs import FileFailed, Sending, parts
from tests.engine.sagemaker_world import BUCKET, World, world

__all__ = ["world"]


@pytest.fixture(scope="module")
def model(world: World) -> str:
    """It doubles a number."""
    data = world.train("for-transforms")["ModelArtifacts"]["S3ModelArtifacts"]
    container = {"Image": world.image, "ModelDataUrl": data}
    world.sagemaker.create_model(
        ModelName="doubles",
        ExecutionRoleArn=world.role,
        PrimaryContainer=container,
        EnableNetworkIsolation=True,
    )
    return "doubles"


def transform(world: World, name: str, files: dict[str, str], **changes: Any) -> dict[str, Any]:
    for file, text in files.items():
        world.put(f"requests/{file}", text)
    listed = [{"prefix": f"s3://{BUCKET}/requests/"}, *files]
    source = {"S3DataType": "ManifestFile", "S3Uri": world.put(f"manifests/{name}", json.dumps(listed))}
    request: dict[str, Any] = {
        "TransformJobName": name,
        "ModelName": "doubles",
        "BatchStrategy": "SingleRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": source}, "ContentType": "text/csv", "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out/{name}", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataProcessing": {"JoinSource": "Input"},
        **changes,
    }  # fmt: skip
    world.sagemaker.create_transform_job(**request)
    world.account.pump()
    described: dict[str, Any] = world.sagemaker.describe_transform_job(TransformJobName=name)
    return described


def test_each_file_gets_its_predictions_beside_its_input(world: World, model: str) -> None:
    job = transform(world, "joined", {"01/a.csv": "1\n2\n", "02/b.csv": "21"})
    assert job["TransformJobStatus"] == "Completed"
    assert world.get("out/joined/01/a.csv.out") == b"1,2.0\n2,4.0\n"
    assert world.get("out/joined/02/b.csv.out") == b"21,42.0\n"
    assert not {"RoleArn", "Container"} & job.keys()
    (told,) = [
        one
        for one in world.events("SageMaker Transform Job State Change")
        if one["TransformJobName"] == "joined"
    ]
    assert (told["TransformJobStatus"], told["ModelName"]) == ("Completed", "doubles")


def test_without_a_join_there_are_predictions_alone(world: World, model: str) -> None:
    transform(world, "alone", {"c.csv": "1\n2\n"}, DataProcessing={})
    assert world.get("out/alone/c.csv.out") == b"2.0\n4.0\n"


def test_a_file_that_fails_has_no_output_and_the_others_have_theirs(world: World, model: str) -> None:
    job = transform(world, "half", {"bad.csv": "1\nboom\n", "good.csv": "3\n"})
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].endswith("See job logs for more information")
    assert world.keys("out/half/") == ["out/half/good.csv.out"]


def test_a_server_that_does_not_come_up_fails_the_job(world: World, model: str) -> None:
    container = world.sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    dies = {**container, "Environment": {"DIE": "yes"}}
    world.sagemaker.create_model(ModelName="dies", ExecutionRoleArn=world.role, PrimaryContainer=dies)
    job = transform(world, "dead", {"d.csv": "1\n"}, ModelName="dies")
    assert (job["TransformJobStatus"], world.keys("out/dead/")) == ("Failed", [])


def test_a_model_that_is_not_there_is_refused(world: World, model: str) -> None:
    with pytest.raises(ClientError, match="Could not find"):
        transform(world, "none", {"e.csv": "1\n"}, ModelName="nobody")


@pytest.mark.parametrize(
    ("strategy", "payload", "expected"),
    [
        ("MULTI_RECORD", 6, [["aa", "bb"], ["cc"]]),
        ("SINGLE_RECORD", 6, [["aa"], ["bb"], ["cc"]]),
        ("MULTI_RECORD", 99, [["aa", "bb", "cc"]]),
    ],
)
def test_records_are_packed_up_to_the_payload(strategy: str, payload: int, expected: list[list[str]]) -> None:
    assert list(parts(Sending(strategy, payload, {}, joins=True), ["aa", "bb", "cc"])) == expected


def test_a_record_above_the_payload_fails_its_file() -> None:
    with pytest.raises(FileFailed, match="above MaxPayloadInMB"):
        list(parts(Sending("MULTI_RECORD", 2, {}, joins=True), ["aa"]))
