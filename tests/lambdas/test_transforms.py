"""A transform a day: what came is predicted with the live model, kept as traffic, and told where it failed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.capture import parse_capture
from domain.releases import Champion, ReleaseRecord
from domain.settings import RecordTransformSettings, StartTransformSettings
from lambdas import record_transform, start_transform
from lambdas.transforms import Transforms
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, IMAGE, NOW, Local, Scripted, refused

START = StartTransformSettings(
    deployment=DEPLOYMENT,
    serving_stack=f"{DEPLOYMENT}-serving",
    data_bucket="data",
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    kms_key_arn="",
    topic_arn="",
    record_transform_function=f"{DEPLOYMENT}-record-transform",
    lookback_days=7,
    instance_count=1,
)
PACKAGE = f"{ACCOUNT}:model-package/{DEPLOYMENT}/1"
JOB = f"{DEPLOYMENT}-20130420-1300"
FILES = ("requests/2013/04/19/a.csv", "requests/2013/04/20/b.csv")


class Batch:
    """SageMaker's side of a transform, as a test wants it, and both functions."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.status, self.reason, self.refusal = "InProgress", "", ""
        self.model: str | None = f"{DEPLOYMENT}-000001-0123abcd"
        self.output = b"1,JFK,0.25\n2,EWR,0.5\n"
        local.script("cloudformation", describe_stacks=lambda **_: {"Stacks": [self._stack()]})
        self.sagemaker: Scripted = local.script(
            "sagemaker", create_transform_job=self._create, describe_transform_job=self._describe
        )
        local.functions[START.record_transform_function] = lambda **event: self.record(event)
        record = ReleaseRecord("000001", "s3://m", IMAGE, PACKAGE, ("ml.c5.large",))
        local.ledger.crown(Champion("000001", PACKAGE, "s3://m", IMAGE, "s3://r", "s3://p", 0.2, "2013"))
        body = {"release_id": "000001", "parameter": record.to_parameter(), "package_arn": PACKAGE}
        local.ledger.keep_release(body, outcome="live", now=NOW)

    def _stack(self) -> dict[str, Any]:
        outputs = [{"OutputKey": "ModelName", "OutputValue": self.model}] if self.model else []
        return {"StackName": "s", "CreationTime": NOW, "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}

    def _create(self, **request: Any) -> dict[str, Any]:
        if self.refusal:
            raise refused("ResourceLimitExceeded", self.refusal)
        return {"TransformJobArn": f"{ACCOUNT}:transform-job/{request['TransformJobName']}"}

    def _describe(self, **request: Any) -> dict[str, Any]:
        if not self.sagemaker.called("create_transform_job"):
            raise refused("ValidationException", "Could not find the requested job")
        return {
            "TransformJobName": request["TransformJobName"], "TransformJobStatus": self.status,
            "TransformJobArn": f"{ACCOUNT}:transform-job/j", "ModelName": str(self.model), "CreationTime": NOW,
            "FailureReason": self.reason, "TransformResources": {"InstanceType": "ml.c5.large", "InstanceCount": 1},
            "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": "s3://m"}}},
        }  # fmt: skip

    def come(self, *files: str) -> None:
        for file in files:
            self.local.put(f"s3://data/{file}", b"1,JFK\n2,EWR\n")

    def start(self) -> dict[str, Any]:
        settings = replace(START, kms_key_arn=self.local.key_arn, topic_arn=self.local.topic_arn)
        return self.local.run(start_transform, settings, {})

    def record(self, event: dict[str, Any]) -> dict[str, Any]:
        settings = RecordTransformSettings(
            deployment=DEPLOYMENT,
            endpoint_name=DEPLOYMENT,
            data_bucket="data",
            capture_bucket="capture",
            ledger_table="ledger",
            kms_key_arn=self.local.key_arn,
            topic_arn=self.local.topic_arn,
        )
        return self.local.run(record_transform, settings, event)

    def end(self, status: str, *files: str, reason: str = "") -> dict[str, Any]:
        """It ended, with an output for each of these files, and SageMaker says so."""
        self.status, self.reason = status, reason
        for file in files:
            name = file.removeprefix("requests/")
            self.local.put(f"s3://data/predictions/{JOB}/{name}.out", self.output)
        return self.record(
            {
                "source": "aws.sagemaker",
                "detail-type": "SageMaker Transform Job State Change",
                "detail": {"TransformJobName": JOB, "TransformJobStatus": status},
            }
        )

    def captured(self) -> list[str]:
        found = self.local.s3.list_objects_v2(Bucket="capture").get("Contents", [])
        return [one["Key"] for one in found]


@pytest.fixture
def batch(local: Local) -> Batch:
    return Batch(local)


def test_what_came_is_predicted_with_the_live_model(batch: Batch) -> None:
    batch.come(*FILES)
    assert batch.start()["job"] == JOB
    (asked,) = batch.sagemaker.called("create_transform_job")
    assert (asked["TransformJobName"], asked["ModelName"]) == (JOB, batch.model)
    assert asked["DataProcessing"] == {"JoinSource": "Input"}
    assert asked["TransformOutput"]["KmsKeyId"] == asked["TransformResources"]["VolumeKmsKeyId"]
    listed = json.loads(batch.local.read("artefacts", f"transforms/{JOB}.json"))
    assert listed == [{"prefix": "s3://data/requests/"}, "2013/04/19/a.csv", "2013/04/20/b.csv"]


def test_what_a_model_of_classes_predicts_is_kept_as_its_traffic(batch: Batch, local: Local) -> None:
    body = next(one for one in local.ledger.releases() if one["release_id"] == "000001")
    local.ledger.keep_release({**body, "values": 2}, outcome="live", now=NOW)
    batch.come(FILES[0])
    batch.start()
    batch.output = b"1,0.75,0.25\n2,0.5,0.5\n"
    assert batch.end("Completed", FILES[0])["rows"] == 2
    (key,) = batch.captured()
    (exchange,), _ = parse_capture(local.read("capture", key).decode(), ["x"])
    assert exchange.predictions == ((0.75, 0.25), (0.5, 0.5))


def test_a_file_under_a_day_too_long_ago_is_not_looked_for(batch: Batch) -> None:
    batch.come("requests/2013/04/01/late.csv")
    assert batch.start()["rule"] == "nothing-new"


def test_the_same_start_twice_is_one_transform(batch: Batch) -> None:
    batch.come(*FILES)
    assert (batch.start()["verdict"], batch.start()["rule"]) == ("start", "transform-in-flight")
    assert len(batch.sagemaker.called("create_transform_job")) == 1


def test_predictions_become_captured_traffic_once(batch: Batch) -> None:
    batch.come(*FILES)
    batch.start()
    assert batch.end("Completed", *FILES) == {"verdict": "completed", "job": JOB, "files": 2, "rows": 4}
    assert batch.end("Completed", *FILES)["rule"] == "recorded-before"
    assert len(batch.captured()) == 2
    first, _ = parse_capture(batch.local.read("capture", batch.captured()[0]).decode(), ["hour", "origin"])
    assert (first[0].predictions, first[0].model) == ((0.25, 0.5), PACKAGE)
    assert batch.local.messages() == []
    assert batch.start()["rule"] == "nothing-new"


def test_a_file_that_failed_is_told_and_the_others_are_kept(batch: Batch) -> None:
    batch.come(*FILES)
    batch.start()
    assert batch.end("Failed", FILES[0], reason="ClientError: See job logs")["verdict"] == "failed"
    assert len(batch.captured()) == 1
    (told,) = batch.local.messages()
    assert f"tried again tomorrow: {FILES[1]}" in told


def test_a_lost_end_is_found_by_the_next_start(batch: Batch) -> None:
    batch.come(*FILES)
    batch.start()
    batch.status = "Failed"
    batch.reason = "Unable to provision requested ML compute capacity"
    batch.local.at(NOW + timedelta(days=1))
    assert batch.start()["verdict"] == "start"
    ends = [one.status for one in Transforms("ledger").all()]
    assert ends == ["not-run", "started"]


def test_a_refused_transform_tells_people_and_costs_no_file_a_try(batch: Batch) -> None:
    batch.refusal = "The account-level service limit is 0"
    batch.come(*FILES)
    assert batch.start()["rule"] == "not-started"
    (told,) = batch.local.messages()
    assert "The account-level service limit is 0" in told
    (kept,) = Transforms("ledger").all()
    assert kept.status == "not-run"


def test_one_that_was_claimed_and_never_asked_for_blocks_nothing(batch: Batch) -> None:
    batch.come(*FILES)
    batch.refusal = "x"
    batch.start()
    (kept,) = Transforms("ledger").all()
    Transforms("ledger").close(kept, replace(kept, status="started"))
    batch.sagemaker.calls.clear()
    batch.refusal = ""
    batch.local.at(NOW + timedelta(days=1))
    assert batch.start()["verdict"] == "start"


def test_an_output_that_cannot_be_read_is_told_and_blocks_nothing(batch: Batch) -> None:
    batch.come(FILES[0])
    batch.start()
    batch.local.put(f"s3://data/predictions/{JOB}/a.csv.out", b"alone\n")
    assert batch.end("Completed")["verdict"] == "completed"
    assert "has no prediction after its input" in batch.local.messages()[0]
    assert batch.start()["rule"] == "nothing-new"


def test_a_file_too_large_to_watch_is_predicted_and_told(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_transform, "LARGEST_OUTPUT", 3)
    batch.come(FILES[0])
    batch.start()
    assert batch.end("Completed", FILES[0])["files"] == 1
    assert batch.captured() == []
    assert "is not watched" in batch.local.messages()[0]
