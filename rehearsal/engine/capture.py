"""Data capture of an endpoint: JSON lines in SageMaker's format, one object an hour."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import RLock
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.account import Account
from rehearsal.engine.execution_roles import SAGEMAKER
from rehearsal.engine.s3_transfer import encryption, split


@dataclass(frozen=True)
class Captured:
    """One side of an invocation."""

    content_type: str
    body: bytes


@dataclass
class Capture:
    """What one variant captures: sampled evenly, written with the model's execution role."""

    account: Account
    endpoint: str
    variant: str
    config: Mapping[str, Any]
    role_arn: str
    deployment: int
    seen: int = 0
    _lines: list[str] = field(default_factory=list)
    _hour: datetime | None = None
    _lock: RLock = field(default_factory=RLock)  # requests come on threads of their own

    def take(
        self, request: Captured, response: Captured, inference_id: str | None, custom_attributes: str | None
    ) -> None:
        """Capture this invocation, if it is one of the sampled percentage."""
        if self.config.get("EnableCapture"):
            with self._lock:
                self._take(request, response, inference_id, custom_attributes)

    def _take(
        self, request: Captured, response: Captured, inference_id: str | None, custom_attributes: str | None
    ) -> None:
        percentage = self.config["InitialSamplingPercentage"]
        self.seen += 1
        if self.seen * percentage // 100 == (self.seen - 1) * percentage // 100:
            return
        now = self.account.clock.now()
        self.flush_past_hours()
        self._hour = now.replace(minute=0, second=0, microsecond=0)
        metadata = {
            "eventId": self._uuid(f"event {self.deployment}/{self.seen}"),
            **({"inferenceId": inference_id} if inference_id else {}),
            **({"customAttributes": [custom_attributes]} if custom_attributes else {}),
            "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        line = {
            "captureData": self._data(request, response),
            "eventMetadata": metadata,
            "eventVersion": "0",
        }
        self._lines.append(json.dumps(line))

    def _data(self, request: Captured, response: Captured) -> dict[str, Any]:
        modes = {option["CaptureMode"] for option in self.config["CaptureOptions"]}
        both = "InputAndOutput" in modes
        data = {}
        if both or "Input" in modes:
            data["endpointInput"] = self._side(request, "INPUT")
        if both or "Output" in modes:
            data["endpointOutput"] = self._side(response, "OUTPUT")
        return data

    def _side(self, captured: Captured, mode: str) -> dict[str, Any]:
        encoding = self._encoding(captured.content_type)
        data = (
            base64.b64encode(captured.body).decode()
            if encoding == "BASE64"
            else captured.body.decode(errors="replace")
        )
        return {
            "observedContentType": captured.content_type,
            "mode": mode,
            "data": data,
            "encoding": encoding,
        }

    def _encoding(self, content_type: str) -> str:
        """BASE64, unless CaptureContentTypeHeader lists the media type."""
        header = self.config.get("CaptureContentTypeHeader", {})
        media_type = content_type.partition(";")[0].strip()
        if media_type in header.get("CsvContentTypes", []):
            return "CSV"
        return "JSON" if media_type in header.get("JsonContentTypes", []) else "BASE64"

    def flush_past_hours(self) -> None:
        """Write the buffered hour once it is over."""
        if self._hour and self.account.clock.now().replace(minute=0, second=0, microsecond=0) > self._hour:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered; a refusal is told, as the invocations themselves succeeded."""
        with self._lock:
            if self._lines and self._hour is not None:
                self._flush(self._hour)

    def _flush(self, hour: datetime) -> None:
        folder = f"{self.endpoint}/{self.variant}/{hour:%Y/%m/%d/%H}"
        name = self._uuid(f"file {folder} {self.deployment}/{self.seen}")
        bucket, prefix = split(self.config["DestinationS3Uri"])
        key = f"{prefix.rstrip('/')}/{folder}/{name}.jsonl".lstrip("/")
        body = ("\n".join(self._lines) + "\n").encode()
        self._lines = []
        put = partial(roles.call, self.account, self.role_arn, SAGEMAKER, "s3", "PutObject")
        try:
            put(Bucket=bucket, Key=key, Body=body, **encryption(self.config.get("KmsKeyId")))
        except (PermissionError, ClientError) as error:
            self.account.journal.write("note", what=f"data capture of {self.endpoint} was lost: {error}")

    def _uuid(self, of: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.endpoint}/{self.variant}/{of}"))
