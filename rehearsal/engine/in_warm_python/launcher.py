"""Stands in the place of Python: `python -m ...` runs in a fork of the warm interpreter, all else in a fresh one.

Arguments: the warm interpreter's socket, the Python to start otherwise, and the command.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GONE = int(signal.SIGKILL).to_bytes(4, "big")


def warm_status(path: str, command: list[str]) -> int | None:
    """How the command ended, as os.wait has it; None if it needs a fresh interpreter."""
    if command[:1] == ["-s"]:
        command = command[1:]
    if command[:1] != ["-m"]:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            _ask(connection, {"argv": command[1:], "env": dict(os.environ), "cwd": os.getcwd()})
            for number in PASSED_ON:
                signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
            if connection.recv(1) != b"y":
                return None
            return int.from_bytes(connection.recv(4) or GONE, "big")
        except OSError:
            return None


def _ask(connection: socket.socket, request: dict[str, object]) -> None:
    message = json.dumps(request).encode()
    spaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in ("user", "mnt")]
    socket.send_fds(connection, [len(message).to_bytes(8, "big")], [0, 1, 2, *spaces])
    connection.sendall(message)


def main() -> None:
    path, python, *command = sys.argv[1:]
    status = warm_status(path, command)
    if status is None:
        os.execv(python, [python, *command])  # noqa: S606 (what handles signals here is gone after it)
    if os.WIFSIGNALED(status):
        with suppress(OSError):  # SIGKILL and SIGSTOP cannot be handled
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
