"""What the seams for speed hold to: connections stay open, and nothing is answered from what has changed."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from moto.moto_api._internal import mock_random

from tests.engine.runtime_world import World, world

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=person/20260105/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def test_requests_follow_each_other_on_one_connection_whatever_their_bodies(aws: World) -> None:
    connection = http.client.HTTPConnection(urlsplit(aws.account.endpoint_url).netloc, timeout=10)
    statuses = []
    for method, path, body in (
        ("PUT", "/bucket-of-one", b""),
        ("PUT", "/bucket-of-one/key", b"twelve bytes"),
        ("HEAD", "/bucket-of-one/key", None),
        ("GET", "/bucket-of-one/none", None),
        ("DELETE", "/bucket-of-one/other", None),
        ("GET", "/bucket-of-one/key", None),
    ):
        connection.request(method, path, body=body, headers=SIGNED)
        port = connection.sock.getsockname()[1]
        answer = connection.getresponse()
        content = answer.read()
        statuses.append((answer.status, port))
    assert [status for status, _ in statuses] == [200, 200, 200, 404, 204, 200]
    assert len({port for _, port in statuses}) == 1
    assert content == b"twelve bytes"
    connection.close()


def test_a_body_that_waits_to_be_asked_for_is_taken(aws: World) -> None:
    s3 = boto3.client("s3", endpoint_url=aws.account.endpoint_url)  # sends Expect: 100-continue
    s3.create_bucket(Bucket="bucket-of-one")
    s3.put_object(Bucket="bucket-of-one", Key="key", Body=b"x" * 100_000)
    assert s3.get_object(Bucket="bucket-of-one", Key="key")["Body"].read() == b"x" * 100_000


def test_a_listing_tells_the_time_of_each_object(aws: World) -> None:
    s3 = aws.account.client("s3")
    s3.create_bucket(Bucket="bucket-of-one")
    for key in ("a", "b", "a"):
        aws.account.clock.advance(timedelta(hours=1))
        s3.put_object(Bucket="bucket-of-one", Key=key, Body=b"")
        s3.list_objects_v2(Bucket="bucket-of-one")
    listed = {
        one["Key"]: one["LastModified"] for one in s3.list_objects_v2(Bucket="bucket-of-one")["Contents"]
    }
    assert listed == {"a": aws.account.clock.now(), "b": aws.account.clock.now() - timedelta(hours=1)}


def test_identifiers_do_not_depend_on_how_many_calls_came_before(aws: World) -> None:
    def versions(calls_between: int) -> list[str]:
        mock_random.seed(0)
        s3 = aws.account.client("s3")
        found: list[str] = []
        for _ in range(2):
            found.append(s3.put_object(Bucket="versioned", Key="key", Body=b"")["VersionId"])
            for _ in range(calls_between):
                s3.list_objects_v2(Bucket="versioned")
        return found

    aws.account.client("s3").create_bucket(Bucket="versioned")
    aws.account.client("s3").put_bucket_versioning(
        Bucket="versioned", VersioningConfiguration={"Status": "Enabled"}
    )
    assert versions(0) == versions(3)


def test_each_answer_has_an_identifier_of_its_own(aws: World) -> None:
    sts = aws.account.client("sts")
    ids = {sts.get_caller_identity()["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3


def test_metrics_that_a_service_publishes_itself_are_read_as_if_they_had_been_put(aws: World) -> None:
    from rehearsal.engine.moto_seams import cloudwatch as seam

    cloudwatch, now = aws.account.client("cloudwatch"), aws.account.clock.now()
    datum = {"MetricName": "Rows", "Timestamp": now, "Values": [1.0, 2.0], "Unit": "Count"}
    cloudwatch.put_metric_data(Namespace="Put", MetricData=[datum])
    seam.publish(aws.account, "Published", [datum])
    put, published = seam.metric_data(aws.account, 0)[:2], seam.metric_data(aws.account, 0)[2:]
    assert [(one.unit, one.time, one.total) for one in put] == [
        (one.unit, one.time, one.total) for one in published
    ]
