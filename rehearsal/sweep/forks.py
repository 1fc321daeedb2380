"""Tries things in forks of a warm process, a few at a time: what a fork breaks stays broken there."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

Item = TypeVar("Item")
GRACE_SECONDS = 10
Work = Callable[[Item], Any]


@dataclass
class _Child:
    item: Any
    pid: int
    began: float
    answer: bytearray = field(default_factory=bytearray)


def forked(
    items: Iterable[Item], work: Work[Item], *, at_once: int, limit_seconds: float
) -> Iterator[tuple[Item, Any]]:
    """Each item with what `work` answers for it (JSON values) in a process of its own, in the order in which they end.

    A process that ends without an answer, or takes longer than its limit, answers {"error": why}.
    """
    waiting, running = iter(items), selectors.DefaultSelector()
    try:
        while True:
            while len(running.get_map()) < at_once and (item := next(waiting, None)) is not None:
                child, pipe = _fork(item, work)
                running.register(pipe, selectors.EVENT_READ, child)
            if not running.get_map():
                return
            yield from _answers(running, limit_seconds)
    finally:
        for key in list(running.get_map().values()):
            _end(running, key)


def _fork(item: Any, work: Work[Any]) -> tuple[_Child, int]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(item, pid, time.monotonic()), reading
    status = 1
    try:
        os.close(reading)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that it stops what it started
        try:
            answer = work(item)
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}", "where": traceback.format_exc()}
        with os.fdopen(writing, "wb") as out:
            out.write(json.dumps(answer).encode())
        status = 0
    finally:
        os._exit(status)  # nothing of the parent's is closed on the way out


def _answers(running: selectors.BaseSelector, limit_seconds: float) -> Iterator[tuple[Any, Any]]:
    for key, _ in running.select(1.0):
        child: _Child = key.data
        chunk = os.read(key.fd, 1 << 16)
        child.answer += chunk
        if not chunk:
            _end(running, key)
            yield (
                child.item,
                json.loads(child.answer) if child.answer else {"error": "it ended without an answer"},
            )
    for key in list(running.get_map().values()):
        if time.monotonic() - key.data.began > limit_seconds:
            _end(running, key)
            yield key.data.item, {"error": f"it took longer than {limit_seconds:g} s"}


def _end(running: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """A child that has answered is gone; another may stop what it started, and then goes."""
    running.unregister(key.fileobj)
    os.close(key.fd)
    pid, asked = key.data.pid, time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() - asked > GRACE_SECONDS:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
