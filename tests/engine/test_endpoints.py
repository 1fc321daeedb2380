"""An endpoint is a container that answers; what it does is measured and captured."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.moto_seams import cloudwatch as seam
from tests.engine.hosting_world import Hosting, hosting, processes
from tests.engine.sagemaker_world import BUCKET, World, world

__all__ = ["hosting", "world"]

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": f"s3://{BUCKET}/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def test_an_endpoint_answers_with_the_model_it_was_given(hosting: Hosting) -> None:
    described = hosting.endpoint("answering")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "answering")
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert hosting.ask("answering", "21") == "42.0"


def test_headers_go_to_the_container_and_come_back(hosting: Hosting) -> None:
    hosting.endpoint("polite")
    answer = hosting.runtime.invoke_endpoint(
        EndpointName="polite", Body=b"1", ContentType="text/csv", Accept="text/plain", CustomAttributes="c=1"
    )

    assert (answer["ContentType"], answer["CustomAttributes"]) == ("text/plain", "got c=1")
    assert answer["InvokedProductionVariant"] == "live"


def test_a_body_that_is_no_text_passes_unchanged(hosting: Hosting) -> None:
    hosting.endpoint("binary")
    body = bytes(range(256))
    answer = hosting.runtime.invoke_endpoint(
        EndpointName="binary", Body=body, ContentType="application/x-npy"
    )

    assert answer["Body"].read() == body


@pytest.mark.parametrize(
    "body, content_type, status, text",
    [(b"boom", "text/csv", 500, "it broke"), (b"1", "image/png", 415, "text/csv only")],
)
def test_an_error_of_the_container_is_a_model_error(
    hosting: Hosting, body: bytes, content_type: str, status: int, text: str
) -> None:
    name = f"erring-{status}"
    hosting.endpoint(name)
    with pytest.raises(hosting.runtime.exceptions.ModelError) as caught:
        hosting.ask(name, body, ContentType=content_type)

    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, text)
    assert f'error ({status}) from primary with message "{text}"' in response["Error"]["Message"]
    hosting.later(minutes=1)
    assert hosting.metric(name, f"Invocation{status // 100}XXErrors", "Sum") == [1.0]


def test_an_endpoint_that_is_not_there_is_a_validation_error(hosting: Hosting) -> None:
    with pytest.raises(ClientError) as caught:
        hosting.ask("absent")

    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert "Endpoint absent of account 123456789012 not found" in str(caught.value)


def test_a_body_over_six_mebibytes_is_refused(hosting: Hosting) -> None:
    hosting.endpoint("large")
    with pytest.raises(ClientError, match="6291456"):
        hosting.ask("large", b"1" * 6_291_457)


def test_a_container_that_dies_fails_the_endpoint(hosting: Hosting) -> None:
    described = hosting.endpoint("dying", environment={"DIE": "1"})
    hosting.world.account.pump()

    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert hosting.world.journal("endpoint")[-1]["status"] == "Failed"
    event = hosting.world.events("SageMaker Endpoint State Change")[-1]
    assert (event["EndpointName"], event["EndpointStatus"]) == ("dying", "FAILED")


def test_a_container_that_stays_unhealthy_is_given_up(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(0, 20)
    fast = SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None)
    monkeypatch.setattr("rehearsal.engine.hosting.time", fast)
    described = hosting.endpoint("sick", environment={"UNHEALTHY": "1"})

    assert described["EndpointStatus"] == "Failed"
    assert processes(hosting, "sick") == 0


def test_a_model_whose_data_is_not_there_is_refused(hosting: Hosting, world: World) -> None:
    absent = {"Image": world.image, "ModelDataUrl": f"s3://{BUCKET}/no/model.tar.gz"}
    with pytest.raises(ClientError, match=f"Could not access model data at {absent['ModelDataUrl']}"):
        hosting.sagemaker.create_model(
            ModelName="dataless", ExecutionRoleArn=world.role, PrimaryContainer=absent
        )


def test_a_model_whose_image_is_not_there_is_refused(hosting: Hosting, world: World) -> None:
    with pytest.raises(ClientError, match=r"Requested image .* not found"):
        hosting.sagemaker.create_model(
            ModelName="imageless",
            ExecutionRoleArn=world.role,
            PrimaryContainer={"Image": world.image[:-4] + "0000"},
        )


def test_model_data_that_has_gone_since_fails_the_endpoint(hosting: Hosting, world: World) -> None:
    before = hosting.model_data
    hosting.model_data = world.put("gone/model.tar.gz", world.get(before.removeprefix(f"s3://{BUCKET}/")))
    hosting.config("forgetful")
    hosting.model_data = before
    world.s3.delete_object(Bucket=BUCKET, Key="gone/model.tar.gz")
    hosting.sagemaker.create_endpoint(EndpointName="forgetful", EndpointConfigName="forgetful")
    described = hosting.describe("forgetful")

    assert described["EndpointStatus"] == "Failed"
    assert f"s3://{BUCKET}/gone/model.tar.gz" in described["FailureReason"]
    with pytest.raises(ClientError, match="can only be deleted"):
        hosting.sagemaker.update_endpoint(EndpointName="forgetful", EndpointConfigName="forgetful")


def test_an_update_serves_the_new_model_and_stops_the_old_container(hosting: Hosting) -> None:
    hosting.endpoint("growing")
    world = hosting.world
    world.put("heavy/a.csv", "10\n")
    channel = world.training()["InputDataConfig"][0]
    channel["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/heavy/"
    before = hosting.model_data
    hosting.model_data = world.train("heavier", InputDataConfig=[channel])["ModelArtifacts"][
        "S3ModelArtifacts"
    ]
    hosting.sagemaker.update_endpoint(EndpointName="growing", EndpointConfigName=hosting.config("grown"))
    hosting.model_data = before

    assert hosting.ask("growing", "2") == "20.0"
    assert hosting.describe("growing")["EndpointConfigName"] == "grown"
    assert processes(hosting, "growing") == 1


def test_an_update_to_a_container_that_dies_goes_back_to_the_old_one(hosting: Hosting) -> None:
    hosting.endpoint("steady")
    bad = hosting.config("bad", environment={"DIE": "1"})
    hosting.sagemaker.update_endpoint(EndpointName="steady", EndpointConfigName=bad)
    described = hosting.describe("steady")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "steady")
    assert "did not pass the ping health check" in described["FailureReason"]
    assert hosting.ask("steady", "1") == "2.0"


def test_a_deleted_endpoint_leaves_no_process_and_can_be_made_again(hosting: Hosting) -> None:
    hosting.endpoint("passing")
    assert processes(hosting, "passing") == 1
    hosting.sagemaker.delete_endpoint(EndpointName="passing")

    assert processes(hosting, "passing") == 0
    with pytest.raises(ClientError, match="Could not find endpoint"):
        hosting.describe("passing")
    hosting.sagemaker.create_endpoint(EndpointName="passing", EndpointConfigName="passing")
    assert hosting.describe("passing")["EndpointStatus"] == "InService"


def test_a_stale_connection_is_opened_anew(hosting: Hosting) -> None:
    hosting.endpoint("stale")
    answers = [hosting.ask("stale", body) for body in ("1", "bye", "2")]

    assert answers == ["2.0", "bye", "4.0"]


def test_invocations_are_measured_by_endpoint_and_variant(hosting: Hosting) -> None:
    hosting.endpoint("measured")
    for _ in range(3):
        hosting.ask("measured")
    hosting.later(minutes=1)

    assert hosting.metric("measured", "Invocations", "Sum") == [3.0]
    assert hosting.metric("measured", "Invocation5XXErrors", "Average") == [0.0]
    assert hosting.metric("measured", "ModelLatency", "SampleCount") == [3.0]
    (latency_us,) = hosting.metric("measured", "ModelLatency", "Maximum")
    assert 50 < latency_us < 10_000_000


def test_what_went_in_and_out_is_captured_once_the_hour_is_over(hosting: Hosting) -> None:
    hosting.endpoint("watched", DataCaptureConfig=CAPTURE)
    at = hosting.world.account.clock.now()
    hosting.ask("watched", "21", InferenceId="row-1")
    hosting.ask("watched", b"\x00", ContentType="application/x-npy")
    assert hosting.captured("watched") == []
    hosting.later(hours=1)

    (key,) = hosting.world.keys("capture/watched/")
    assert key.startswith(f"capture/watched/live/{at:%Y/%m/%d/%H}/")
    first, second = hosting.captured("watched")
    assert first["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "21",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": "42.0",
            "encoding": "CSV",
        },
    }
    assert first["eventVersion"] == "0"
    assert first["eventMetadata"]["inferenceId"] == "row-1"
    assert first["eventMetadata"]["inferenceTime"] == f"{at:%Y-%m-%dT%H:%M:%SZ}"
    assert "inferenceId" not in second["eventMetadata"]
    given = second["captureData"]["endpointInput"]
    assert (given["encoding"], base64.b64decode(given["data"])) == ("BASE64", b"\x00")


def test_a_percentage_is_captured_evenly(hosting: Hosting) -> None:
    hosting.endpoint("sampled", DataCaptureConfig={**CAPTURE, "InitialSamplingPercentage": 30})
    for number in range(10):
        hosting.ask("sampled", str(number))
    hosting.later(hours=1)

    rows = [line["captureData"]["endpointInput"]["data"] for line in hosting.captured("sampled")]
    assert rows == ["3", "6", "9"]


def test_an_update_writes_what_was_captured_and_ids_stay_unique(hosting: Hosting) -> None:
    hosting.endpoint("renewed", DataCaptureConfig=CAPTURE)
    hosting.ask("renewed")
    hosting.config("renewed-again", DataCaptureConfig=CAPTURE)
    hosting.sagemaker.update_endpoint(EndpointName="renewed", EndpointConfigName="renewed-again")
    hosting.ask("renewed")
    hosting.later(hours=1)

    ids = [line["eventMetadata"]["eventId"] for line in hosting.captured("renewed")]
    assert len(ids) == len(set(ids)) == 2


def test_a_capture_that_cannot_be_written_is_told(hosting: Hosting) -> None:
    lost = {**CAPTURE, "DestinationS3Uri": "s3://nobodys/capture"}
    hosting.endpoint("unheard", DataCaptureConfig=lost)
    hosting.ask("unheard")
    hosting.later(hours=1)

    notes = [facts["what"] for facts in hosting.world.journal("note")]
    assert any("data capture of unheard was lost" in note for note in notes)


@pytest.mark.parametrize(
    "variant, reason",
    [
        ({"InstanceType": "ml.m5.huge"}, "enum value set"),
        ({"InstanceType": None}, "exactly one of InstanceType, InstancePools, ServerlessConfig"),
        ({"InstancePools": [{"InstanceType": "ml.c7i.large", "Priority": 1}]}, "exactly one of"),
        (
            {
                "InstanceType": None,
                "InstancePools": [
                    {"InstanceType": "ml.c7i.large", "Priority": 1},
                    {"InstanceType": "ml.c7i.large", "Priority": 2},
                ],
            },
            "one instance type twice",
        ),
        ({"ModelName": "unknown"}, "Could not find model"),
    ],
)
def test_a_configuration_that_aws_refuses_is_refused(
    hosting: Hosting, variant: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        hosting.config("refused", variant=variant)


def test_instance_pools_run_on_their_first_type(hosting: Hosting) -> None:
    pools = [{"InstanceType": "ml.m5.large", "Priority": 2}, {"InstanceType": "ml.c7i.large", "Priority": 1}]
    described = hosting.endpoint("pooled", variant={"InstanceType": None, "InstancePools": pools})

    assert described["ProductionVariants"][0]["InstancePools"] == [
        {"InstanceType": "ml.c7i.large", "CurrentInstanceCount": 1},
        {"InstanceType": "ml.m5.large", "CurrentInstanceCount": 0},
    ]


def test_a_serverless_container_that_was_not_asked_for_a_while_starts_anew(hosting: Hosting) -> None:
    serverless = {
        "InstanceType": None,
        "InitialInstanceCount": None,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5},
    }
    hosting.endpoint("cold", variant=serverless)
    (log,) = (hosting.world.account.directory / "endpoints" / "cold").rglob("log")

    def asked() -> int:
        """How many requests this container has noted since it started."""
        assert hosting.ask("cold") == "42.0"
        return log.read_text().count("POST /invocations")

    assert asked() == 1
    hosting.later(minutes=5)
    assert asked() == 2
    hosting.later(minutes=11)
    assert asked() == 1


def test_a_serverless_endpoint_has_no_data_capture(hosting: Hosting) -> None:
    serverless = {
        "InstanceType": None,
        "InitialInstanceCount": None,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5},
    }
    assert hosting.endpoint("serverless", variant=serverless)["EndpointStatus"] == "InService"
    with pytest.raises(ClientError, match="not supported for serverless"):
        hosting.config("serverless-watched", variant=serverless, DataCaptureConfig=CAPTURE)


def test_what_an_endpoint_cannot_do_here_stops_by_name(hosting: Hosting) -> None:
    output = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/async"}}
    with pytest.raises(ClientError, match="AsyncInferenceConfig; build it"):
        hosting.config("async", AsyncInferenceConfig=output)


def test_a_child_process_reaches_the_endpoint_over_http(hosting: Hosting) -> None:
    hosting.endpoint("remote")
    runtime = roles.client(
        hosting.world.account, hosting.world.role, "sagemaker.amazonaws.com", "sagemaker-runtime"
    )
    answer = runtime.invoke_endpoint(EndpointName="remote", Body="4", ContentType="text/csv")

    assert answer["Body"].read() == b"8.0"


def test_what_a_container_prints_is_logged_and_measured_in_the_minute_of_its_request(
    hosting: Hosting,
) -> None:
    directive = {"Namespace": "Model", "Dimensions": [["Release"]], "Metrics": [{"Name": "Score"}]}
    document = {"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, "Release": "r1", "Score": 2.5}
    printed = json.dumps(document)
    hosting.endpoint("printing", environment={"PRINT": printed})
    account, times = hosting.world.account, []
    for _ in range(2):
        account.clock.advance(timedelta(minutes=3))
        hosting.ask("printing")
        times.append(account.clock.now())
    hosting.later(minutes=1)

    score = [datum for datum in seam.metric_data(account, 0) if datum.key.name == "Score"]
    assert [(datum.key.dimensions, datum.total) for datum in score] == [({("Release", "r1")}, 2.5)] * 2
    assert [datum.time for datum in score] == times
    logs = account.client("logs").filter_log_events(logGroupName="/aws/sagemaker/Endpoints/printing")
    logged = [event["timestamp"] for event in logs["events"] if event["message"] == printed]
    assert logged == [int(time.timestamp() * 1000) for time in times]
