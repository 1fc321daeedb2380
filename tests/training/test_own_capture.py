"""What the server captures itself reads as SageMaker's own, and costs nobody an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.capture import parse_capture, stamp
from training.answers import Answer
from training.own_capture import OwnCapture

MODEL = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7"
STAMP = stamp(MODEL, "000042", "9f86d081884c7d65")
CSV_HEADERS = {b"content-type": b"text/csv", b"x-amzn-sagemaker-inference-id": b"20130301T10"}


class Bucket:
    """Takes objects, or refuses them."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal, self.put = refusal, list[dict[str, Any]]()

    def put_object(self, **request: Any) -> None:
        if self.refusal:
            raise self.refusal
        self.put.append(request)


def capture(bucket: Bucket, percent: int = 100) -> OwnCapture:
    return OwnCapture(bucket, "capture", "capture/tideline-dev/live", "arn:key", percent, "tideline-dev")


def take(writer: OwnCapture, body: bytes = b"1,JFK\n", headers: dict[bytes, bytes] = CSV_HEADERS) -> None:
    writer.take(headers, body, Answer(200, "text/csv", b"0.25\n"), STAMP)


def metrics(printed: str) -> list[float]:
    return [json.loads(line)["Captured"] for line in printed.splitlines()]


def test_an_answer_is_captured_in_sagemaker_s_format(capsys: Any) -> None:
    bucket = Bucket()
    take(capture(bucket))
    (put,) = bucket.put
    (exchange,), bad = parse_capture(put["Body"].decode(), ["hour", "origin"])
    assert bad == 0
    assert (exchange.rows, exchange.predictions) == ((("1", "JFK"),), (0.25,))
    assert (exchange.inference_id, exchange.model) == ("20130301T10", MODEL)
    assert put["Key"].startswith(f"capture/tideline-dev/live/{exchange.at:%Y/%m/%d/%H}/")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", "arn:key")
    assert metrics(capsys.readouterr().out) == [1]


def test_a_type_that_is_no_text_is_kept_as_base64() -> None:
    bucket = Bucket()
    take(capture(bucket), b'["JFK", 1]', {b"content-type": b"application/jsonlines"})
    (exchange,), _ = parse_capture(bucket.put[0]["Body"].decode(), ["origin", "hour"])
    assert exchange.rows == (("JFK", "1"),)


def test_a_capture_that_is_lost_is_counted_and_raises_nothing(capsys: Any) -> None:
    take(capture(Bucket(TimeoutError("a row of a request"))))
    printed = capsys.readouterr()
    assert metrics(printed.out) == [0]
    assert printed.err == "a capture was lost: TimeoutError\n"


@pytest.mark.parametrize(("percent", "expected"), [(100, 10), (50, 5), (1, 0)])
def test_the_share_that_was_asked_for_is_captured_evenly(percent: int, expected: int) -> None:
    bucket = Bucket()
    writer = capture(bucket, percent)
    for _ in range(10):
        take(writer)
    assert len(bucket.put) == expected


def test_where_sagemaker_captures_the_server_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDELINE_CAPTURE", raising=False)
    assert OwnCapture.from_env() is None


def test_the_environment_of_the_endpoint_says_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("TIDELINE_CAPTURE", "s3://bucket/capture/d/live"),
        ("TIDELINE_CAPTURE_KEY", "arn:key"),
        ("TIDELINE_CAPTURE_PERCENT", "50"),
        ("TIDELINE_CAPTURE_ENDPOINT", "d"),
        ("TIDELINE_CAPTURE_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    made = OwnCapture.from_env()
    assert made is not None
    assert (made.bucket, made.folder, made.percent, made.endpoint) == ("bucket", "capture/d/live", 50, "d")
    assert made.s3.meta.region_name == "eu-west-1"
    config = made.s3.meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries["total_max_attempts"] == 2
