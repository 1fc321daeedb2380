"""Captures requests where SageMaker does not, on a serverless endpoint: its format, an object an answer.

A container there stands still as soon as it has answered, so nothing can be put off: the object is written before
the answer goes out, within a bound of time, and what could not be written is lost and counted.
"""

from __future__ import annotations

import base64
import os
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from domain.names import ENDPOINT_DIMENSION, METRIC_NAMESPACE, ServerMetric
from training.answers import Answer

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 2, 2
"""So an answer waits for its capture for six seconds at the most."""
ENCODINGS = {"text/csv": "CSV", "application/json": "JSON"}
"""How a body of this type is kept; any other as base64."""
INFERENCE_ID = b"x-amzn-sagemaker-inference-id"


@dataclass
class OwnCapture:
    """Writes what was asked and answered, of so many percent of the answers, evenly."""

    s3: Any
    bucket: str
    folder: str
    key_arn: str
    percent: int
    endpoint: str
    seen: int = 0

    @classmethod
    def from_env(cls) -> OwnCapture | None:
        """What the model's environment asks for; None where SageMaker captures."""
        uri = os.environ.get("TIDELINE_CAPTURE")
        if not uri:
            return None
        bucket, _, folder = uri.removeprefix("s3://").partition("/")
        return cls(
            _client(os.environ["TIDELINE_CAPTURE_REGION"]),
            bucket,
            folder,
            os.environ["TIDELINE_CAPTURE_KEY"],
            int(os.environ["TIDELINE_CAPTURE_PERCENT"]),
            os.environ["TIDELINE_CAPTURE_ENDPOINT"],
        )

    def take(self, headers: Mapping[bytes, bytes], body: bytes, answer: Answer, stamp: str) -> None:
        """Never raises: a capture that is lost costs nobody an answer."""
        self.seen += 1
        if self.seen * self.percent // 100 == (self.seen - 1) * self.percent // 100:
            return
        now, event_id = datetime.now(UTC), str(uuid.uuid4())
        line = orjson.dumps(_line(headers, body, answer, stamp, now, event_id)) + b"\n"
        key = f"{self.folder}/{now:%Y/%m/%d/%H}/{event_id}.jsonl"
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key_arn}
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=line, **encryption)
        except Exception as error:  # whatever it was, the caller gets the answer
            print(f"a capture was lost: {type(error).__name__}", file=sys.stderr, flush=True)
            self._count(0)
        else:
            self._count(1)

    def _count(self, captured: int) -> None:
        metric = {"Name": ServerMetric.CAPTURED, "Unit": "None"}
        declared = {"Namespace": METRIC_NAMESPACE, "Dimensions": [[ENDPOINT_DIMENSION]], "Metrics": [metric]}
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [declared]},
            ENDPOINT_DIMENSION: self.endpoint,
            ServerMetric.CAPTURED: captured,
        }
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()


def _client(region: str) -> Any:
    """Imported only where it is used: it costs a start a third of a second."""
    import botocore.session
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    return botocore.session.get_session().create_client("s3", region_name=region, config=config)


def _line(
    headers: Mapping[bytes, bytes], body: bytes, answer: Answer, stamp: str, now: datetime, event_id: str
) -> dict[str, Any]:
    inference_id = headers.get(INFERENCE_ID, b"").decode("latin-1")
    asked = headers.get(b"content-type", b"").decode("latin-1")
    return {
        "captureData": {
            "endpointInput": _side("INPUT", asked, body),
            "endpointOutput": _side("OUTPUT", answer.content_type, answer.body),
        },
        "eventMetadata": {
            "eventId": event_id,
            **({"inferenceId": inference_id} if inference_id else {}),
            "customAttributes": [stamp],
            "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }


def _side(mode: str, content_type: str, body: bytes) -> dict[str, str]:
    encoding = ENCODINGS.get(content_type.partition(";")[0].strip().lower(), "BASE64")
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}
