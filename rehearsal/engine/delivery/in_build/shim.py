"""Stands on a build's PATH in the place of a tool: hands the command to the local account and prints its answer."""

import json
import os
import socket
import sys


def main() -> int:
    command = {
        "argv": [os.path.basename(sys.argv[1]), *sys.argv[2:]],
        "cwd": os.getcwd(),
        "stdin": sys.stdin.read(),
        "env": dict(os.environ),
    }
    with socket.create_connection(("127.0.0.1", int(os.environ["REHEARSAL_SHIM_PORT"]))) as connection:
        connection.sendall(json.dumps(command).encode() + b"\n")
        with connection.makefile() as answers:
            answer = json.loads(answers.readline())
    sys.stdout.write(answer["out"])
    sys.stderr.write(answer["err"])
    return int(answer["code"])


if __name__ == "__main__":
    sys.exit(main())
