"""An interpreter that has imported what takes long, and forks for each command that a launcher hands it.

Arguments: the listening socket's descriptor, and the modules. It ends when its standard input does. A fork has the
launcher's environment, directory, streams and namespaces, and a session of its own; it imports all else itself.
"""

import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

APPLIED = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
READ_AT_START = (
    "PYTHON",
    "OMP_",
    "GOMP_",
    "OPENBLAS_",
    "MKL_",
    "NPY_",
    "SCIPY_",
    "SKLEARN_",
    "LD_",
    "MALLOC_",
)
"""Variables that the interpreter or a library reads only once: a command that has others needs a fresh process."""
SLEEPS_WHILE_IT_WAITS = {"OMP_WAIT_POLICY": "passive"}
"""OpenMP reads it once, at the import. Its threads spin otherwise, which takes the core from whoever they wait for:
a fit takes five times as long where another process runs. The result is the same."""
PR_SET_PDEATHSIG = 1  # end with the one that minds it
OWN_NAMES = {"__main__", "sitecustomize"}

Request = dict[str, Any]


def main(listener: socket.socket, modules: list[str]) -> None:
    """Serve until standard input ends; in a fork, return when the command is to be run."""
    base, started = sys.path[1:], dict(os.environ)  # without this file's folder
    os.environ |= SLEEPS_WHILE_IT_WAITS
    for name in modules:
        importlib.import_module(name)
    gc.freeze()
    sys.stdout.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that mind a command
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            sys.exit()
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            mind(connection, base, started)
            return
        connection.close()


def mind(connection: socket.socket, base: list[str], started: dict[str, str]) -> None:
    """Fork for the command, and return in the fork; here, pass on signals and tell how it ended."""
    head, descriptors, _, _ = socket.recv_fds(connection, 8, 5)
    stream = connection.makefile("rb")
    request = json.loads(stream.read(int.from_bytes(head, "big")))
    for space in descriptors[3:]:
        join(space)
    os.chdir(request["cwd"])
    if needs_fresh(request, started):
        connection.sendall(b"n")
        os._exit(0)
    connection.sendall(b"y")
    child = os.fork()
    if child == 0:
        stream.close()
        connection.close()
        become(request, descriptors, base)
        return
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(ended(connection, child).to_bytes(4, "big"))
    os._exit(0)


def join(descriptor: int) -> None:
    """Enter a namespace, unless it is this process's own."""
    there = os.readlink(f"/proc/self/fd/{descriptor}")
    if there != os.readlink(f"/proc/self/ns/{there.partition(':')[0]}"):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, 0):
            raise OSError(ctypes.get_errno(), f"cannot enter {there}")


def needs_fresh(request: Request, started: dict[str, str]) -> bool:
    """Would it import or read at its start something else than what is here?"""
    environment = request["env"]
    for name in {*environment, *started}:
        if (
            name.startswith(READ_AT_START)
            and name not in APPLIED
            and environment.get(name) != started.get(name)
        ):
            return True
    here = {name.partition(".")[0] for name in sys.modules} - OWN_NAMES
    for folder in paths(request):
        with suppress(OSError):
            if here & {entry.partition(".")[0] for entry in os.listdir(folder)}:
                return True
    return False


def paths(request: Request) -> list[str]:
    """What stands before the installed packages, as `python -m` has it."""
    given = request["env"].get("PYTHONPATH", "")
    return [request["cwd"], *(given.split(os.pathsep) if given else [])]


def ended(connection: socket.socket, child: int) -> int:
    """Wait for the child; a launcher that is gone takes it along, and what it left behind goes with it."""
    exits = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([exits, connection.fileno()], [], [])
        if exits in ready:
            break
        numbers = connection.recv(1)
        with suppress(ProcessLookupError):
            os.killpg(child, numbers[0] if numbers else signal.SIGKILL)
        if not numbers:
            break
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return status


def become(request: Request, descriptors: list[int], base: list[str]) -> None:
    """Take on all that a fresh process would have been given."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.closerange(3, max(descriptors) + 1)
    environment = request["env"]
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    if environment.get("PYTHONUNBUFFERED"):
        for number, name in ((1, "stdout"), (2, "stderr")):
            raw = io.FileIO(number, "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(raw, getattr(sys, name).encoding, write_through=True))
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else all forks would draw the same
    sys.argv = list(request["argv"])
    sys.path[:] = [*paths(request), *base]
    importlib.invalidate_caches()
    time.tzset()
    sys.modules.pop("sitecustomize", None)
    with suppress(ModuleNotFoundError):
        importlib.import_module("sitecustomize")


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
