"""Training and processing jobs run as processes and are described as AWS describes them."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.sagemaker_world import BUCKET, World, world

__all__ = ["world"]


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {item.name: file.read() for item in opened.getmembers() if (file := opened.extractfile(item))}


def refusal(world: World, **changes: Any) -> str:
    with pytest.raises(ClientError) as caught:
        world.sagemaker.create_training_job(TrainingJobName="refused", **world.training(**changes))
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return str(error["Message"])


def test_a_training_job_leaves_a_model_metrics_and_its_times(world: World) -> None:
    began = world.account.clock.now()
    job = world.train("first", HyperParameters={"score": "0.75"})

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/models/first/output/model.tar.gz"
    assert members(world.get("models/first/output/model.tar.gz"))["weight"] == b"2.0"
    assert [(item["MetricName"], item["Value"]) for item in job["FinalMetricDataList"]] == [
        ("validation:score", 0.75)  # the last of the two that it printed
    ]
    assert job["TrainingEndTime"] - job["TrainingStartTime"] == timedelta(seconds=300)
    assert world.account.clock.now() == began + timedelta(seconds=300)
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"] == 300


def test_a_training_container_finds_the_documented_files(world: World) -> None:
    world.train("documented", HyperParameters={"depth": "3"}, Environment={"MINE": "yes"})
    seen = json.loads(members(world.get("models/documented/output/model.tar.gz"))["seen.json"])

    assert seen["hyperparameters"] == {"depth": "3"}
    assert seen["channels"] == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
    }
    assert seen["resources"]["hosts"] == ["algo-1"]
    assert seen["resources"]["current_instance_type"] == "ml.m5.large"
    environment = seen["environment"]
    assert (environment["TRAINING_JOB_NAME"], environment["MINE"]) == ("documented", "yes")
    assert environment["AWS_ENDPOINT_URL"] == world.account.endpoint_url


def test_two_runs_of_the_same_job_give_the_same_model_bytes(world: World) -> None:
    for name in ("twin-a", "twin-b"):
        world.train(name, HyperParameters={"score": "0.5"})
    one, two = (members(world.get(f"models/{name}/output/model.tar.gz")) for name in ("twin-a", "twin-b"))

    assert one["weight"] == two["weight"]
    assert world.get("models/twin-a/output/output.tar.gz") == world.get("models/twin-b/output/output.tar.gz")


def test_output_data_becomes_output_tar_gz(world: World) -> None:
    world.train("extra")

    assert members(world.get("models/extra/output/output.tar.gz")) == {"rows": b"2"}


def test_the_failure_file_is_the_failure_reason_and_no_model_is_left(world: World) -> None:
    job = world.train("failing", HyperParameters={"fail": "too few rows"})

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: too few rows, exit code: 3"
    assert world.keys("models/failing/") == []


def test_a_prefix_without_objects_fails_the_job_as_on_aws(world: World) -> None:
    channel = world.training()["InputDataConfig"][0]
    channel["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/nothing/here"
    job = world.train("empty", InputDataConfig=[channel])

    assert job["TrainingJobStatus"] == "Failed"
    assert f'No S3 objects found under S3 URL "s3://{BUCKET}/nothing/here"' in job["FailureReason"]


def test_a_manifest_names_the_objects(world: World) -> None:
    world.put("train/unused.txt", "not a number")
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/train/"}, "more/b.csv"])
    source = {"S3DataType": "ManifestFile", "S3Uri": world.put("manifests/one.json", manifest)}
    world.train(
        "manifest", InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]
    )

    assert members(world.get("models/manifest/output/model.tar.gz"))["weight"] == b"3.0"


def test_past_max_runtime_the_job_is_stopped(world: World) -> None:
    job = world.train("slow", HyperParameters={"sleep": "60"}, StoppingCondition={"MaxRuntimeInSeconds": 1})

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_key_given_for_the_output_encrypts_the_model(world: World) -> None:
    key = world.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    world.train("secret", OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/models", "KmsKeyId": key})
    head = world.s3.head_object(Bucket=BUCKET, Key="models/secret/output/model.tar.gz")

    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_what_the_container_printed_is_in_its_log_group(world: World) -> None:
    world.train("talking", HyperParameters={"score": "0.33"})
    logs = world.account.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix="talking/")["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"])["events"]

    assert "validation:score=0.33;" in [event["message"] for event in events]


def test_instance_preferences_take_the_first_type(world: World) -> None:
    types = ["ml.c7i.large", "ml.m5.large"]
    resources = {
        "InstanceCount": 1,
        "InstancePreferences": [{"InstanceType": name} for name in types],
        "VolumeSizeInGB": 5,
    }
    job = world.train("preferring", ResourceConfig=resources)

    assert job["ResourceConfig"]["SelectedInstanceType"] == "ml.c7i.large"
    written = [facts for facts in world.journal("job") if facts["job"] == "preferring"]
    assert [(facts["status"], facts["instance_type"]) for facts in written] == [("Completed", "ml.c7i.large")]


def test_a_second_job_of_the_same_name_is_in_use(world: World) -> None:
    world.train("taken")

    with pytest.raises(world.sagemaker.exceptions.ResourceInUse):
        world.sagemaker.create_training_job(TrainingJobName="taken", **world.training())


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.huge"}}, "enum value set"),
        ({"ResourceConfig": {"InstanceCount": 1}}, "exactly one of InstanceType and InstancePreferences"),
        (
            {
                "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.m5.large"}] * 2},
            },
            "names a type twice",
        ),
        (
            {
                "ResourceConfig": {"InstancePreferences": [{"InstanceType": "ml.m5.large"}]},
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            },
            "cannot be used with EnableManagedSpotTraining",
        ),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds is required"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 60}}, "not allowed without"),
    ],
)
def test_a_request_that_aws_refuses_is_refused(world: World, changes: dict[str, Any], reason: str) -> None:
    assert reason in refusal(world, **changes)


def test_a_role_that_sagemaker_cannot_assume_is_refused(world: World) -> None:
    role = world.new_role("for-lambda", "lambda.amazonaws.com")

    assert f"Could not assume role {role}" in refusal(world, RoleArn=role)


def test_what_is_not_built_stops_by_name(world: World) -> None:
    resources = {"InstanceCount": 2, "InstanceType": "ml.m5.large"}
    with pytest.raises(ClientError, match="more than one instance"):
        world.sagemaker.create_training_job(TrainingJobName="two", **world.training(ResourceConfig=resources))
    assert any("more than one instance" in facts["what"] for facts in world.journal("unsupported"))


def test_a_job_that_moto_would_only_pretend_to_run_stops_by_name(world: World) -> None:
    with pytest.raises(ClientError, match="CreateCompilationJob: not built"):
        world.sagemaker.create_compilation_job(
            CompilationJobName="pretended",
            RoleArn=world.role,
            OutputConfig={"S3OutputLocation": "s3://a/c", "TargetDevice": "ml_c5"},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
        )


def test_an_image_that_ecr_lacks_fails_the_job(world: World) -> None:
    absent = world.image[:-4] + "0000"
    algorithm = {"TrainingImage": absent, "TrainingInputMode": "File"}
    job = world.train("imageless", AlgorithmSpecification=algorithm)

    assert job["FailureReason"].startswith(f"ClientError: Requested image {absent} not found")


def test_a_processing_job_writes_its_outputs_and_message(world: World) -> None:
    job = world.process("report", Environment={"SCORE": "0.4"})
    report = json.loads(world.get("reports/report.json"))

    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "2 files")
    assert report["names"] == ["rows/a.csv", "rows/more/b.csv"]
    assert (report["arn"], report["score"]) == (job["ProcessingJobArn"], 0.4)
    assert job["ProcessingEndTime"] - job["ProcessingStartTime"] == timedelta(minutes=5)


def test_a_processing_job_that_exits_with_an_error_uploads_nothing(world: World) -> None:
    outputs = world.processing()["ProcessingOutputConfig"]
    outputs["Outputs"][0]["S3Output"]["S3Uri"] = f"s3://{BUCKET}/unwanted"
    job = world.process("erring", Environment={"EXIT": "2"}, ProcessingOutputConfig=outputs)

    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: 2 files, exit code: 2"
    assert world.keys("unwanted") == []


def test_the_end_of_a_job_is_an_event(world: World) -> None:
    job = world.train("told")
    details = world.events("SageMaker Training Job State Change")

    assert details[-1]["TrainingJobName"] == "told"
    assert details[-1]["TrainingJobStatus"] == "Completed"
    assert details[-1]["ModelArtifacts"] == job["ModelArtifacts"]


def test_checkpoints_are_kept_in_s3(world: World) -> None:
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints", "LocalPath": "/opt/ml/model"}
    world.train("checkpointed", CheckpointConfig=config)

    assert "checkpoints/weight" in world.keys("checkpoints/")
