"""The account itself: moto in this process and over HTTP, one clock, one journal, one queue of work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import boto3

from rehearsal.engine import moto_seams
from rehearsal.engine.clock import VirtualClock
from rehearsal.engine.journal import Journal

ACCOUNT_ID = "123456789012"  # moto's default account


class Unsupported(Exception):
    """The local account lacks a feature that a template or a handler uses; the message names it."""


@dataclass(frozen=True)
class Work:
    """Something that AWS does after it has answered: deliver an event, run a job, update a stack."""

    name: str
    act: Callable[[], None]


class Account:
    """A local AWS account. Use it as a context manager; one at a time in a process.

    In-process callers (scenarios, the engine) use `client(service)`, which acts as an administrator.
    Child processes get `endpoint_url` and the credentials of a deployed role, and nothing else.
    Whatever AWS does asynchronously is put on one queue with `defer` and carried out by `pump`, in
    order, on the caller's thread: the same inputs give the same journal.
    """

    def __init__(self, *, start: datetime, directory: Path, region: str = "us-east-1") -> None:
        self.id = ACCOUNT_ID
        self.region = region
        self.directory = directory
        self.clock = VirtualClock(start)
        self.journal = Journal(self.clock.now)
        self.endpoint_url = ""
        self.on_advance: list[Callable[[], None]] = []  # called before alarms are evaluated
        self._work: deque[Work] = deque()
        self._closers: list[Callable[[], None]] = []
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        from rehearsal.engine import services  # late: services patch moto through this account

        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.endpoint_url = moto_seams.start(self)
            services.install(self)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop every child process and moto itself; safe to call twice."""
        while self._closers:
            self._closers.pop()()
        moto_seams.stop()
        self.clock.stop()

    def on_close(self, closer: Callable[[], None]) -> None:
        self._closers.append(closer)

    def client(self, service: str) -> Any:
        """An administrator's boto3 client, in process (no HTTP)."""
        if service not in self._clients:
            self._clients[service] = boto3.client(service, region_name=self.region)
        return self._clients[service]

    def defer(self, name: str, act: Callable[[], None]) -> None:
        """Put something that AWS does later on the queue; any thread may call this."""
        self._work.append(Work(name, act))

    def pump(self) -> None:
        """Carry out all deferred work, in order, until none is left."""
        while self._work:
            self._work.popleft().act()

    def advance_to(self, instant: datetime) -> None:
        """Live until `instant`: schedules fire and alarms change at their own times on the way."""
        from rehearsal.engine import schedules

        schedules.advance_to(self, instant)

    def put_event(
        self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None
    ) -> None:
        """Send an event to the default bus as the AWS service `source` would."""
        from rehearsal.engine import routing

        routing.route(self, routing.new_event(self, source, detail_type, detail, resources))
