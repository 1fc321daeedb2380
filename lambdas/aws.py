"""The few calls that several handlers make, each one function taking its client."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import islice
from typing import Any, TypeVar

import boto3
from botocore.config import Config

from domain.names import ACCOUNT_VARIABLE

T = TypeVar("T")

AT_A_TIME = 4  # objects held in memory at once; botocore keeps ten connections
CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=60)


@cache
def client(service: str) -> Any:
    """Made once in a warm function: making one costs more than most calls.

    S3 is told with each call whose bucket it must be: a name that somebody else took over is refused.
    """
    owner = os.environ[ACCOUNT_VARIABLE] if service == "s3" else ""
    made = boto3.client(service, config=CONFIG)
    if owner:
        made.meta.events.register("provide-client-params.s3", partial(_of_our_own, owner))
    return made


def _of_our_own(owner: str, params: dict[str, Any], model: Any, **_: Any) -> None:
    if "ExpectedBucketOwner" in model.input_shape.members:
        params.setdefault("ExpectedBucketOwner", owner)


def keys(s3: Any, bucket: str, prefix: str, *, first: str = "", last: str = "") -> Iterator[str]:
    """The keys under a prefix, in order; the empty objects that the console makes for folders are none.

    `first` and `last` bound the folder after the prefix, both included, so that many days are one listing.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, StartAfter=prefix + first
    )
    for page in pages:
        for found in page.get("Contents", []):
            if last and found["Key"][len(prefix) : len(prefix) + len(last)] > last:
                return
            if not found["Key"].endswith("/"):
                yield found["Key"]


def read(s3: Any, bucket: str, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def each(work: Callable[[str], T], keys: Iterable[str]) -> Iterator[T]:
    """`work(key)` for each key, in their order but a few at a time: most of a small read is waiting."""
    remaining = iter(keys)
    with ThreadPoolExecutor(AT_A_TIME) as readers:
        while batch := list(islice(remaining, AT_A_TIME)):
            yield from readers.map(work, batch)


def read_uri(s3: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return read(s3, bucket, key)


def write(s3: Any, bucket: str, key: str, body: bytes, *, kms_key_arn: str) -> str:
    """Put an object under the deployment's key; returns its version id."""
    done = s3.put_object(
        Bucket=bucket, Key=key, Body=body, ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key_arn
    )
    return str(done.get("VersionId", "null"))


def invoke(functions: Any, name: str, payload: dict[str, Any]) -> Any:
    """Call another function and wait for its answer.

    Raises RuntimeError with the function's own error.
    """
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(f"{name}: {body.get('errorType')}: {body.get('errorMessage')}")
    return body


def stack(name: str) -> dict[str, Any]:
    """What CloudFormation says of a stack that there is."""
    found: dict[str, Any] = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return found


def log(message: str, **facts: Any) -> None:
    """One JSON line; never a payload or a row of data."""
    print(json.dumps({"message": message, **facts}, sort_keys=True, default=str))
