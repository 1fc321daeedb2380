"""A warm interpreter of an account: it has imported the libraries that take long, and forks for each command.

Only `python -m` of code that lies outside of it is run in a fork; what a fork could not tell from a fresh process is
decided in `in_warm_python/server.py`. Without one, or if it is gone, each command gets a fresh process.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

PROGRAMS = Path(__file__).parent / "in_warm_python"

_sockets: WeakKeyDictionary[Account, Path] = WeakKeyDictionary()


def start(account: Account, modules: Sequence[str]) -> None:
    """Begin to import the modules in a process of their own; commands that come before it is ready wait for it."""
    if sys.platform != "linux":
        return  # namespaces and descriptors of processes are Linux's own
    directory = Path(
        tempfile.mkdtemp(prefix="warm-")
    )  # short: the path of a socket has at most 107 characters
    path = directory / "socket"
    with socket.socket(socket.AF_UNIX) as listener, (account.directory / "warm.log").open("wb") as log:
        listener.bind(str(path))
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-s", str(PROGRAMS / "server.py"), str(listener.fileno()), *modules],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,  # it ends when this does, however this process ends
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )
    _sockets[account] = path

    def stop() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin
        process.stdin.close()
        shutil.rmtree(directory)

    account.on_close(stop)


def python(account: Account, fresh: str = sys.executable) -> list[str]:
    """The words that stand for Python in a command; `fresh` is the one for what cannot be forked."""
    path = _sockets.get(account)
    return [sys.executable, "-I", "-S", str(PROGRAMS / "launcher.py"), str(path), fresh] if path else [fresh]


def script(account: Account, fresh: str) -> str:
    """A shell script that stands for Python; `fresh` as above."""
    return f'#!/bin/sh\nexec {shlex.join(python(account, fresh))} "$@"\n'
