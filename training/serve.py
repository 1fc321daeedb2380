"""The endpoint's server: /ping and /invocations over the ONNX model, in one process and one thread."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import orjson
import uvicorn

from domain.capture import stamp
from training import paths
from training.artefact import Model
from training.requests import BadRequest, read_csv, read_json
from training.telemetry import PredictionMetric

READERS = {"text/csv": read_csv, "application/json": read_json}
STOP_SECONDS = 25  # SageMaker kills 30 seconds after it asks
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
"""The one header of an answer that SageMaker hands to the caller."""

Answer = tuple[int, str, bytes]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def main() -> None:
    """Load, then listen: whoever gets an answer from /ping can be sure of the model."""
    server = Server(
        Model.from_directory(paths.model()),
        name=os.environ.get("TIDELINE_MODEL", ""),
        metric=PredictionMetric(
            os.environ.get("TIDELINE_ENDPOINT", ""), os.environ.get("TIDELINE_RELEASE", "")
        ),
        max_body_bytes=int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6")) * 1024 * 1024,
    )
    uvicorn.run(
        server,
        # A container must listen to its host; run by hand, only this machine may connect.
        host="127.0.0.1" if "SM_BASE_DIR" in os.environ else "0.0.0.0",  # noqa: S104
        port=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


class Server:
    """A raw ASGI application: a web framework costs more than the prediction."""

    def __init__(self, model: Model, *, name: str, metric: PredictionMetric, max_body_bytes: int) -> None:
        self.model = model
        self.name = name
        self.metric = metric
        self.max_body_bytes = max_body_bytes
        self.stamp = (ATTRIBUTES, stamp(name, metric.release).encode())

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        status, content_type, body = await self.answer(scope, receive)
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            self.stamp,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def answer(self, scope: Mapping[str, Any], receive: Receive) -> Answer:
        match scope["path"], scope["method"]:
            case "/ping", "GET":
                return 200, "text/plain", b""
            case "/invocations", "POST":
                return self.invoke(dict(scope["headers"]), await self.read_body(receive))
            case (("/ping" | "/invocations"), method):
                return refuse(405, f"got {method}, expected GET /ping or POST /invocations")
            case path, _:
                return refuse(404, f"got {path}, expected /ping or /invocations")

    async def read_body(self, receive: Receive) -> bytes | None:
        """The whole body, or None when it is too long; the rest is then left unread."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self.max_body_bytes:
                return None
            if not message.get("more_body"):
                return b"".join(chunks)

    def invoke(self, headers: Mapping[bytes, bytes], body: bytes | None) -> Answer:
        if body is None:
            return refuse(413, f"the body is longer than {self.max_body_bytes} bytes; send fewer rows")
        content_type = media_type(headers.get(b"content-type", b""))
        if content_type not in READERS:
            return refuse(415, f"got content type {content_type!r}, expected {' or '.join(READERS)}")
        accepted = accepts(headers.get(b"accept", b""))
        if accepted is None:
            return refuse(
                406, f"got accept {headers[b'accept'].decode('latin-1')!r}, expected {' or '.join(READERS)}"
            )
        try:
            columns = READERS[content_type](body, self.model.schema)
        except BadRequest as error:
            return refuse(400, str(error))
        predictions = self.model.predict(columns)
        if not np.isfinite(predictions).all():
            row = int(np.argmin(np.isfinite(predictions))) + 1
            return refuse(500, f"the model answered row {row} with a value that is not finite")
        rounded = [round(p, 6) for p in predictions.tolist()]
        self.metric.add(rounded)
        return 200, accepted, self.write(rounded, accepted)

    def write(self, predictions: list[float], content_type: str) -> bytes:
        if content_type == "application/json":
            return orjson.dumps({"model": self.name, "predictions": predictions})
        return "".join(f"{prediction}\n" for prediction in predictions).encode()


def refuse(status: int, reason: str) -> Answer:
    return status, "text/plain; charset=utf-8", (reason + "\n").encode()


def media_type(header: bytes) -> str:
    return header.split(b";")[0].strip().lower().decode("latin-1")


def accepts(header: bytes) -> str | None:
    """The first type of the Accept header that we can write; CSV where the caller does not mind."""
    known = {
        "text/csv": "text/csv",
        "application/json": "application/json",
        "*/*": "text/csv",
        "": "text/csv",
    }
    return next((known[one] for one in map(media_type, header.split(b",")) if one in known), None)
