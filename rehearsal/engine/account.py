"""The account itself: moto in this process and over HTTP, one clock, one journal, one queue of work."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import boto3

from rehearsal.engine import moto_seams
from rehearsal.engine.at_least_once import IN_ORDER_AND_ONCE, AtLeastOnce
from rehearsal.engine.clock import VirtualClock
from rehearsal.engine.job_faults import Fault, Faults
from rehearsal.engine.journal import Journal

SeenAs = Literal["failure", "success"]
ACCOUNT_ID = "123456789012"  # moto's default account


class Unsupported(Exception):
    """The local account lacks a feature that a template or a handler uses; the message names it."""


@dataclass(frozen=True)
class Work:
    """Something that AWS does after it has answered: deliver an event, run a job, update a stack."""

    name: str
    act: Callable[[], None]


@dataclass(frozen=True, order=True)
class Timer:
    """Work for a later instant; of two for the same instant the one set first goes first."""

    instant: datetime
    number: int
    work: Work = field(compare=False)


@dataclass(frozen=True)
class Waiting:
    """Work that goes on as soon as something has come about."""

    is_ready: Callable[[], bool]
    work: Work


class Account:
    """A local AWS account. Use it as a context manager; one at a time in a process.

    In-process callers (scenarios, the engine) use `client(service)`, which acts as an administrator.
    Child processes get `endpoint_url` and the credentials of a deployed role, and nothing else.
    Whatever AWS does asynchronously is put on one queue with `defer` and carried out by `pump`, in
    order, on the caller's thread: the same inputs give the same journal. What takes virtual time waits
    for the clock (`wake_at`) or for something to come about (`when`); `advance_to` lets it happen.
    """

    def __init__(
        self,
        *,
        start: datetime,
        directory: Path,
        region: str = "us-east-1",
        endpoint_rollback_seen_as: SeenAs = "failure",
        seed: int = IN_ORDER_AND_ONCE,
        faults: tuple[Fault, ...] = (),
    ) -> None:
        self.id = ACCOUNT_ID
        self.region = region
        self.directory = directory
        self.clock = VirtualClock(start)
        self.journal = Journal(self.clock.now)
        self.endpoint_url = ""
        self.endpoint_rollback_seen_as: SeenAs = endpoint_rollback_seen_as
        """What CloudFormation makes of an endpoint that went back by itself; nobody outside AWS knows."""
        self.at_least_once = AtLeastOnce(self, seed)
        self.faults = Faults(faults, self.journal)
        self.on_advance: list[Callable[[], None]] = []  # called before alarms are evaluated
        self.in_transition: set[str] = set()
        """ARNs of endpoints between two states; while there are any, a minute matters."""
        self._work: deque[Work] = deque()
        self._timers: list[Timer] = []  # the earliest first
        self._timers_set = 0
        self._waiting: list[Waiting] = []
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

    def wake_at(self, instant: datetime, name: str, act: Callable[[], None]) -> None:
        """Put something on the clock: `advance_to` carries it out at `instant`, after alarms were evaluated."""
        self._timers_set += 1
        insort(self._timers, Timer(instant, self._timers_set, Work(name, act)))

    def when(self, name: str, is_ready: Callable[[], bool], act: Callable[[], None]) -> None:
        """Carry something out as soon as `is_ready`, which is asked whenever the account is pumped."""
        self._waiting.append(Waiting(is_ready, Work(name, act)))

    def pump(self) -> None:
        """Carry out all deferred work, in order, until none is left that need not wait for the clock."""
        while work := self._next_work():
            work.act()

    def _next_work(self) -> Work | None:
        if self._work:
            return self._work.popleft()
        ready = next((waiting for waiting in self._waiting if waiting.is_ready()), None)
        if ready is None:
            return None
        self._waiting.remove(ready)
        return ready.work

    @property
    def next_wake(self) -> datetime | None:
        """The earliest instant for which something is on the clock."""
        return self._timers[0].instant if self._timers else None

    def wake(self) -> None:
        """Carry out what was to happen by now; work that moved the clock makes it happen late."""
        while self._timers and self._timers[0].instant <= self.clock.now():
            self._timers.pop(0).work.act()
            self.pump()

    def advance_to(self, instant: datetime) -> None:
        """Live until `instant`: schedules fire and alarms change at their own times on the way."""
        from rehearsal.engine import schedules

        schedules.advance_to(self, instant)

    def advance_until(self, is_done: Callable[[], bool]) -> None:
        """Live until `is_done`, as a command does that waits; there must be something to wait for."""
        self.pump()
        while not is_done():
            if self.next_wake is None:
                raise RuntimeError("nothing is on the clock that could bring about what is waited for")
            self.advance_to(self.next_wake)

    def settle(self) -> None:
        """Live until nothing is under way any more: jobs and releases come to their ends."""
        self.pump()
        while self.in_transition and self.next_wake:
            self.advance_to(self.next_wake)

    def put_event(
        self, source: str, detail_type: str, detail: dict[str, Any], resources: list[str] | None = None
    ) -> None:
        """Send an event to the default bus as the AWS service `source` would."""
        from rehearsal.engine import routing

        routing.route(self, routing.new_event(self, source, detail_type, detail, resources))
