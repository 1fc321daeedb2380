import io
import json
from threading import Barrier
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from lambdas import aws
from lambdas.people import tell
from tests.lambdas.local import Local


class Functions:
    """Invoke, as a client of Lambda answers it."""

    def __init__(self, answer: object, error: str | None = None) -> None:
        self.answer, self.error = answer, error
        self.calls: list[dict[str, Any]] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **failed}


def test_a_function_answers_with_json() -> None:
    functions = Functions({"price": 0.115})
    assert aws.invoke(functions, "choose", {"price_of": ["ml.m5.large"]}) == {"price": 0.115}
    assert functions.calls == [{"FunctionName": "choose", "Payload": b'{"price_of": ["ml.m5.large"]}'}]


def test_a_function_that_failed_raises_its_own_error() -> None:
    failed = Functions({"errorType": "PriceError", "errorMessage": "no price for ml.x"}, "Unhandled")
    with pytest.raises(RuntimeError, match=r"choose: PriceError: no price for ml\.x"):
        aws.invoke(failed, "choose", {})


def test_keys_come_from_all_pages_and_folders_are_none() -> None:
    s3 = boto3.Session("testing", "testing", region_name="us-east-1").client("s3")
    asked = {"Bucket": "data", "Prefix": "many/", "StartAfter": "many/"}
    first = {
        "IsTruncated": True,
        "NextContinuationToken": "x",
        "Contents": [{"Key": "many/"}, {"Key": "many/1"}],
    }
    with Stubber(s3) as stubbed:
        stubbed.add_response("list_objects_v2", first, asked)
        stubbed.add_response(
            "list_objects_v2", {"Contents": [{"Key": "many/2"}]}, {**asked, "ContinuationToken": "x"}
        )
        stubbed.add_response(
            "list_objects_v2", {}, {"Bucket": "data", "Prefix": "none/", "StartAfter": "none/"}
        )
        assert list(aws.keys(s3, "data", "many/")) == ["many/1", "many/2"]
        assert list(aws.keys(s3, "data", "none/")) == []


def test_each_call_of_s3_says_whose_bucket_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes over a name of ours gets neither our data nor a word into our functions."""
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", session.client)
    monkeypatch.setattr(aws, "CONFIG", Config())
    monkeypatch.setenv("TIDELINE_ACCOUNT", "123456789012")
    s3, asked = aws.client.__wrapped__("s3"), {"ExpectedBucketOwner": "123456789012"}
    with Stubber(s3) as stubbed:
        stubbed.add_response(
            "list_objects_v2", {}, {"Bucket": "b", "Prefix": "p", "StartAfter": "p", **asked}
        )
        stubbed.add_response("get_object", {"Body": io.BytesIO(b"x")}, {"Bucket": "b", "Key": "k", **asked})
        assert list(aws.keys(s3, "b", "p")) == []
        assert aws.read(s3, "b", "k") == b"x"
        stubbed.assert_no_pending_responses()


def test_without_an_account_no_bucket_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDELINE_ACCOUNT", raising=False)
    with pytest.raises(KeyError, match="TIDELINE_ACCOUNT"):
        aws.client.__wrapped__("s3")


def test_a_few_keys_are_worked_on_at_once_and_told_in_their_order() -> None:
    at_once = Barrier(aws.AT_A_TIME, timeout=10)
    begun: list[str] = []

    def work(key: str) -> str:
        begun.append(key)
        at_once.wait()  # passes only when as many wait here
        return key.upper()

    keys = [f"k{number}" for number in range(2 * aws.AT_A_TIME)]
    found = aws.each(work, keys)
    assert next(found) == "K0"
    assert sorted(begun) == keys[: aws.AT_A_TIME]  # no more is held than that
    assert ["K0", *found] == [key.upper() for key in keys]


def test_what_is_written_is_encrypted_and_its_version_is_returned(local: Local) -> None:
    first = aws.write(local.s3, "data", "k", b"one", kms_key_arn=local.key_arn)
    second = aws.write(local.s3, "data", "k", b"two", kms_key_arn=local.key_arn)
    assert first != second
    assert aws.read(local.s3, "data", "k") == b"two"
    assert aws.read_uri(local.s3, "s3://data/k") == b"two"


def test_a_log_line_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    aws.log("done", run="run-1", at=io.BytesIO)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["message"] == "done"


def test_people_are_told_each_thing_once(local: Local) -> None:
    for about in ("one", "one", "two"):
        tell(local.ledger, local.topic_arn, about=about, subject="x" * 200, message=f"about {about}")
    assert local.messages() == ["about one", "about two"]


def test_clients_retry_and_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(boto3, "client", lambda service, config: made.update({service: config}))
    aws.client("sqs")
    assert made["sqs"].retries == {"mode": "standard", "max_attempts": 4}
    assert made["sqs"].read_timeout == 60
