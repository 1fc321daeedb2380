"""The endpoint's server: one process a vCPU, each with the model, one thread and one event loop."""

from __future__ import annotations

import os
import socket

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from training import paths, proof, workers
from training.artefact import Model
from training.own_capture import OwnCapture
from training.server import Limits, Server
from training.telemetry import PredictionMetric

STOP_SECONDS = 25  # SageMaker kills 30 seconds after it asks
CONNECTIONS = 1024
HEAD_BYTES = 64 * 1024


class BoundedHead(HttpToolsProtocol):
    """uvicorn's own protocol, but for a head without end: that one it would keep for as long as it grows."""

    in_head, head_bytes = True, 0

    def on_message_begin(self) -> None:
        self.in_head, self.head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.in_head:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES:
                self.transport.abort()


def application(worker_count: int) -> Server:
    return Server(
        Model.from_directory(paths.model()),
        name=os.environ.get("TIDELINE_MODEL", ""),
        metric=PredictionMetric(
            os.environ.get("TIDELINE_ENDPOINT", ""), os.environ.get("TIDELINE_RELEASE", "")
        ),
        limits=Limits(workers=worker_count, body_mib=int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6"))),
        capture=OwnCapture.from_env(),
    )


def main() -> None:
    """Hold the model against its signature, take the port, load, then answer.

    Whoever gets an answer from /ping can be sure of the model.
    """
    proof.require(paths.model(), os.environ)
    worker_count = workers.count()
    # A container must listen to its host; run by hand, only this machine may connect.
    host = "127.0.0.1" if "SM_BASE_DIR" in os.environ else "0.0.0.0"  # noqa: S104
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))

    def serve(listening: socket.socket) -> None:
        config = uvicorn.Config(
            application(worker_count),
            loop="uvloop",
            http=BoundedHead,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listening])

    workers.run(serve, socket.create_server((host, port), backlog=CONNECTIONS), worker_count)
