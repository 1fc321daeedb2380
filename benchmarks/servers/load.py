"""A caller: so many connections that each send the same request again as soon as they have their answer.

Run as a process of its own, on a core of its own; prints one line of JSON. httptools reads the answers, uvloop waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httptools
import uvloop


@dataclass
class Caller(asyncio.Protocol):
    """One connection."""

    request: bytes
    microseconds: list[float]
    refused: list[int]
    sent: float = 0.0
    transport: asyncio.Transport | None = None
    parser: httptools.HttpResponseParser = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        assert self.transport is not None
        self.parser = httptools.HttpResponseParser(self)
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.microseconds.append((time.perf_counter() - self.sent) * 1e6)
        status = self.parser.get_status_code()
        if status != 200:
            self.refused.append(status)
        self._send()


async def call(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    """Requests a second, 50th and 99th percentile in microseconds, and how many answers were no 200."""
    microseconds: list[float] = []
    refused: list[int] = []
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Caller(request, microseconds, refused), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 4)
    before = len(microseconds)
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    lasted = time.perf_counter() - began
    answered = sorted(microseconds[before:])
    for transport, _ in made:
        transport.abort()
    return {
        "per_second": len(answered) / lasted,
        "p50_us": answered[len(answered) // 2],
        "p99_us": answered[len(answered) * 99 // 100],
        "all": len(microseconds),
        "refused": len(refused),
    }


def post(body: bytes) -> bytes:
    lines = [
        "POST /invocations HTTP/1.1",
        "Host: localhost",
        "Content-Type: text/csv",
        "Accept: text/csv",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("body", type=Path)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    request = post(given.body.read_bytes())
    print(json.dumps(uvloop.run(call(given.port, request, given.connections, given.seconds))))
