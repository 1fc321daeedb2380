"""Constant traffic on an endpoint: so many requests each virtual minute, and a client that never stops."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from rehearsal.engine import Account

REQUESTS_A_MINUTE = 2
ROWS_A_REQUEST = 12
MAX_LATENCY_MS = 250
"""What `serving.release.max_latency_ms` promises by default."""
MINUTE = timedelta(minutes=1)
PAUSE_SECONDS = 0.2
ANSWERED, SERVER_ERROR = 200, 500


@dataclass(frozen=True)
class Response:
    """One request as its client saw it, at a virtual time."""

    at: datetime
    status: int
    """What the container answered; 0 if nothing came back."""
    milliseconds: float

    @property
    def is_answered(self) -> bool:
        return self.status == ANSWERED


@dataclass
class Traffic:
    """Asks an endpoint at every whole minute; whoever lives through it calls `live`."""

    account: Account
    endpoint: str
    body: bytes
    responses: list[Response] = field(default_factory=list)

    def live(self, minutes: int) -> list[Response]:
        """Let this many minutes pass, with their requests; returns what was answered in them."""
        first = len(self.responses)
        for _ in range(minutes):
            self._ask()
            self.account.advance_to(self.account.clock.now() + MINUTE)
        return self.responses[first:]

    def _ask(self) -> None:
        for _ in range(REQUESTS_A_MINUTE):
            at = self.account.clock.now()
            self.responses.append(ask(self.account.client("sagemaker-runtime"), self.endpoint, self.body, at))


def ask(runtime: Any, endpoint: str, body: bytes, at: datetime) -> Response:
    began = time.perf_counter()
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=body)
        answer["Body"].read()
        status = ANSWERED
    except ClientError as error:
        status = int(error.response.get("OriginalStatusCode", 0))
    except Exception:  # a connection that broke is a lost request
        status = 0
    return Response(at, status, (time.perf_counter() - began) * 1e3)


class Client(Thread):
    """Asks over HTTP on a thread of its own, so that requests are under way whenever a fleet comes or goes."""

    def __init__(self, account: Account, endpoint: str, body: bytes) -> None:
        super().__init__(daemon=True)
        self.responses: list[Response] = []
        self._account, self._endpoint, self._body = account, endpoint, body
        self._is_over = Event()
        self._runtime = boto3.client(
            "sagemaker-runtime",
            region_name=account.region,
            endpoint_url=account.endpoint_url,
            config=ClientConfig(retries={"max_attempts": 0}, read_timeout=120),
        )

    def run(self) -> None:
        while not self._is_over.wait(PAUSE_SECONDS):
            self.responses.append(ask(self._runtime, self._endpoint, self._body, self._account.clock.now()))

    def finish(self) -> list[Response]:
        self._is_over.set()
        self.join()
        return self.responses


def lost(responses: Sequence[Response]) -> int:
    return sum(not one.is_answered for one in responses)


def request_body(table: Path, features: Sequence[str]) -> bytes:
    """The first rows of a month, as a client sends them."""
    text = io.StringIO()
    with gzip.open(table, "rt", newline="") as file:
        rows = csv.DictReader(file)
        writer = csv.writer(text, lineterminator="\n")
        for _ in range(ROWS_A_REQUEST):
            row = next(rows)
            writer.writerow([row[name] for name in features])
    return text.getvalue().encode()
