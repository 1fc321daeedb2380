"""A process that has imported what AWS's Python runtime ships, and forks for each worker, which then starts at once.

Started as a file with `python -I -S`, as a fresh worker is. Arguments: its socket, and the directory of those packages.
Each message is a JSON object: {"env", "cwd"} with three descriptors (requests, responses, output) asks for a worker and
is answered with its process id, or with 0 if its code brings a module that is imported here already;
{"wait": id} is answered with how it ended. The server ends when the socket is closed.
"""

import gc
import importlib
import json
import os
import random
import runpy
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

LOADED = ("boto3.session", "botocore.session", "concurrent.futures.thread", "time_machine")
DESCRIBED = ("s3", "dynamodb", "sagemaker", "cloudwatch", "cloudformation", "sns", "ssm", "lambda")
"""Services whose descriptions, megabytes of JSON, are read once for all workers."""
LONGEST = 1 << 20


def main(connection: socket.socket, runtime: str) -> tuple[int, int] | None:
    """Serve until the socket is closed; in a fork, return what its worker reads from and writes to."""
    sys.path.insert(0, runtime)
    for name in LOADED:
        importlib.import_module(name)
    read_descriptions()
    sys.path.remove(runtime)
    gc.freeze()
    server = os.getpid()
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
        if not message:
            return None
        request: dict[str, Any] = json.loads(message)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            connection.send(b"%d" % os.waitstatus_to_exitcode(status))
            continue
        child = 0 if needs_fresh(request["cwd"]) else os.fork()
        if child == 0 and os.getpid() != server:
            connection.close()
            return become(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(b"%d" % child)


def read_descriptions() -> None:
    """Let every session of this process and its forks have what one has read; whom it speaks for is each one's own."""
    sessions: Any = importlib.import_module("botocore.session")
    original, read = sessions.create_loader, dict[Any, Any]()

    def create_loader(search_path: str | None = None) -> Any:
        loader = original(search_path)
        loader._cache = read.setdefault(search_path, loader._cache)
        return loader

    sessions.create_loader = create_loader
    session = importlib.import_module("boto3.session").Session("none", "none", region_name="us-east-1")
    for service in DESCRIBED:
        session.client(service)


def needs_fresh(code: str) -> bool:
    """Would a fresh process import something else from the code's own folder than what is here?"""
    here = {name.partition(".")[0] for name in sys.modules}
    return bool(here & {entry.partition(".")[0] for entry in os.listdir(code)})


def become(request: dict[str, Any], descriptors: list[int]) -> tuple[int, int]:
    """Take on all that a fresh process would have been given."""
    requests, responses, output = descriptors
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    random.seed()
    return requests, responses


if __name__ == "__main__":
    pipes = main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
    if pipes:
        worker = runpy.run_path(str(Path(__file__).with_name("worker.py")))
        worker["main"](os.fdopen(pipes[0]), os.fdopen(pipes[1], "w"), sys.argv[2])
