"""One process a vCPU behind one socket: the server's libraries are loaded once, and shared by its forks."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType


def count() -> int:
    """The vCPUs that this container may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(serve: Callable[[socket.socket], object], listening: socket.socket, workers: int) -> None:
    """Run `serve` on the socket in so many processes, until SIGTERM or SIGINT ends each in good order.

    One that ends unasked ends all, and the exit code is 1: SageMaker starts a container anew, and whatever broke
    one (no model, no memory) would break the next.
    """
    if workers == 1:
        serve(listening)
        return
    children: set[int] = set()
    asked: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        asked.append(number)
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    lifeline = os.pipe()
    for _ in range(workers):
        children.add(_fork(serve, listening, lifeline))
    listening.close()  # or it would stay open when the last of them has closed it
    unasked = False
    while children:
        pid, _ = os.wait()
        children.discard(pid)
        if not asked:
            unasked = True
            end(0, None)
    if unasked:
        sys.exit(1)


def _fork(
    serve: Callable[[socket.socket], object], listening: socket.socket, lifeline: tuple[int, int]
) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _end_with_the_parent(lifeline)
        serve(listening)
        code = 0
    except BaseException:  # a fork must never run on into what its parent would do next
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _end_with_the_parent(lifeline: tuple[int, int]) -> None:
    """Nothing is ever written into the pipe: it ends when the parent is gone, however it went."""
    read, write = lifeline
    os.close(write)

    def wait() -> None:
        os.read(read, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
