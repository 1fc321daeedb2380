"""The endpoint's application: /ping, /invocations and /execution-parameters over the ONNX model, as raw ASGI.

One thread: a prediction is shorter than handing it to another one would take.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from domain.capture import stamp
from training.admission import Admission
from training.answers import JSON, WRITERS, Answer, accepts, media_type, refuse
from training.artefact import Model
from training.own_capture import OwnCapture
from training.requests import BadRequest, Requests
from training.telemetry import PredictionMetric

ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
"""The one header of an answer that SageMaker hands to the caller."""
MIB = 1024 * 1024
PING = Answer(200, "text/plain", b"")
RETRY_AFTER_SECONDS = 1
DIGITS = 6
PATHS = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET"}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Disconnected(Exception):
    """The caller has gone; nobody waits for an answer."""


@dataclass(frozen=True)
class Limits:
    """Of one worker; above them it refuses and lives on."""

    workers: int = 1
    body_mib: int = 6
    requests: int = 128
    buffered_mib: int = 32
    body_seconds: float = 20

    @property
    def body_bytes(self) -> int:
        return self.body_mib * MIB


class Server:
    """A raw ASGI application: a web framework costs more than the prediction."""

    def __init__(
        self,
        model: Model,
        *,
        name: str,
        metric: PredictionMetric,
        limits: Limits,
        capture: OwnCapture | None = None,
    ) -> None:
        self.model = model
        self.metric = metric
        self.limits = limits
        self.capture = capture
        self.requests = Requests(model.schema)
        classes = model.schema.classes
        self.named: dict[str, Any] = {"model": name, **({"classes": classes} if classes else {})}
        self.places = np.linspace(0, 1, len(classes)) if classes else None
        self.admission = Admission(
            max_requests=limits.requests, max_bytes=max(limits.buffered_mib, limits.body_mib) * MIB
        )
        self.stamp = (ATTRIBUTES, stamp(name, metric.release, model.digest).encode())
        parameters = {
            "MaxConcurrentTransforms": limits.workers,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": limits.body_mib,
        }
        self.parameters = Answer(200, JSON, orjson.dumps(parameters))

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            answer = await self.answer(scope, receive)
        except Disconnected:
            return
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", b"%d" % len(answer.body)),
            self.stamp,
        ]
        if answer.retry_after_seconds is not None:
            headers.append((b"retry-after", b"%d" % answer.retry_after_seconds))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def answer(self, scope: Mapping[str, Any], receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path not in PATHS:
            return refuse(404, f"got {path}, expected {' or '.join(PATHS)}")
        if method != PATHS[path]:
            return refuse(405, f"got {method} {path}, expected {PATHS[path]}")
        if path == "/invocations":
            return await self.admit(dict(scope["headers"]), receive)
        return PING if path == "/ping" else self.parameters

    async def admit(self, headers: Mapping[bytes, bytes], receive: Receive) -> Answer:
        """Wait for the body and for the turn, within the limits."""
        admission = self.admission
        if not admission.enter():
            return refuse(503, f"{admission.requests} requests wait; try again", RETRY_AFTER_SECONDS)
        chunks: list[bytes] = []
        try:
            if refusal := await self.read_body(headers, receive, chunks):
                return refusal
            # Let what has come at the same time be counted, before the first of it keeps the thread.
            await asyncio.sleep(0)
            return self.captured(headers, b"".join(chunks))
        finally:
            admission.leave(sum(map(len, chunks)))

    async def read_body(
        self, headers: Mapping[bytes, bytes], receive: Receive, chunks: list[bytes]
    ) -> Answer | None:
        """Fill `chunks` with the whole body; or why it is not taken, and then the rest is left unread."""
        limit, seconds = self.limits.body_bytes, self.limits.body_seconds
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            return refuse(413, f"the body has {length[:20].decode()} bytes, at most {limit}; send fewer rows")
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        return refuse(413, f"the body is longer than {limit} bytes; send fewer rows")
                    if not self.admission.hold(len(chunk)):
                        what = f"bodies of {self.admission.bytes} bytes wait; try again"
                        return refuse(503, what, RETRY_AFTER_SECONDS)
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return None
        except TimeoutError:
            return refuse(408, f"the body had not come within {seconds:g} seconds")

    def captured(self, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        answer = self.invoke(headers, body)
        if self.capture and answer.status == 200:
            self.capture.take(headers, body, answer, self.stamp[1].decode())
        return answer

    def invoke(self, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        content_type = media_type(headers.get(b"content-type", b""))
        reader = self.requests.readers.get(content_type)
        if reader is None:
            allowed = " or ".join(self.requests.readers)
            return refuse(415, f"got content type {content_type!r}, expected {allowed}")
        accepted = accepts(headers.get(b"accept", b""))
        if accepted is None:
            got = headers[b"accept"].decode("latin-1")
            return refuse(406, f"got accept {got!r}, expected {' or '.join(WRITERS)}")
        try:
            table = reader(body)
        except BadRequest as error:
            return refuse(400, str(error))
        answers = self.model.answer(table)
        rounded = np.round(answers, DIGITS).tolist()
        told = rounded if self.places is None else (answers @ self.places).tolist()
        if not math.isfinite(sum(told)):
            row = next(i for i, one in enumerate(told, 1) if not math.isfinite(one))
            return refuse(500, f"the model answered row {row} with a value that is not finite")
        self.metric.add(told)
        return Answer(200, accepted, WRITERS[accepted](rounded, self.named))
