"""Tools that cannot run on one machine as in AWS: on a build's PATH stands a shim, and the account does the work."""

from __future__ import annotations

import json
import select
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SHIM = Path(__file__).parent / "in_build" / "shim.py"


@dataclass(frozen=True)
class Command:
    """A command as a build called it. `role_arn` is the role under which the build runs."""

    argv: tuple[str, ...]
    cwd: Path
    stdin: str
    environment: Mapping[str, str]
    role_arn: str


@dataclass(frozen=True)
class Answer:
    """What the caller sees of a command."""

    code: int = 0
    out: str = ""
    err: str = ""


Tool = Callable[[Command], Answer]


class Shims:
    """Serves the shims of one build, on the thread that waits for the build."""

    def __init__(self, tools: Mapping[str, Tool], role_arn: str, directory: Path) -> None:
        self._tools, self._role_arn = tools, role_arn
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        for name in tools:
            script = directory / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{SHIM}" {name} "$@"\n')
            script.chmod(0o755)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def serve(self, seconds: float) -> None:
        """Wait at most so long for a command, and carry it out."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        if not ready:
            return
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rw") as stream:
            asked = json.loads(stream.readline())
            argv = tuple(asked["argv"])
            command = Command(argv, Path(asked["cwd"]), asked["stdin"], asked["env"], self._role_arn)
            answer = self._tools[argv[0]](command)
            stream.write(json.dumps({"code": answer.code, "out": answer.out, "err": answer.err}) + "\n")

    def close(self) -> None:
        self._socket.close()
