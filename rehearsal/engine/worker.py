"""The Lambda runtime inside a child process: runs one handler, asked over a pipe, one JSON line per message.

Started as a file with `python -I -S`, so that it sees the standard library, the deployed code and the packages that
AWS's Python runtime ships, and nothing else. Arguments: request pipe, response pipe, directory of those packages.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

Handler = Callable[[Any, "Context"], Any]


class Context:
    """What AWS hands to a handler beside the event."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.invoked_function_arn: str = request["function_arn"]
        self.log_group_name: str = request["log_group"]
        self.log_stream_name: str = request["log_stream"]
        self.identity = None
        self.client_context = None
        self._deadline: float = time.monotonic() + request["timeout_seconds"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def failure(error_type: str, message: str, stack: list[str] | None = None) -> dict[str, Any]:
    return {"error": {"errorMessage": message, "errorType": error_type, "stackTrace": stack or []}}


def raised(error: BaseException) -> dict[str, Any]:
    """The error as AWS reports it: the handler's own frames, not the runtime's."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if "importlib" not in frame.filename]
    stack = traceback.format_list(frames)
    print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n{''.join(stack)}")
    return failure(type(error).__name__, str(error), stack)


def load(handler: str) -> Handler | dict[str, Any]:
    """Import the handler, or the error that AWS reports when it cannot."""
    module_name, _, function_name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raised(error)
        return failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        return failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:
        return raised(error)
    if not hasattr(module, function_name):
        return failure(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        )
    loaded: Handler = getattr(module, function_name)
    return loaded


def run(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:
        return raised(error)
    try:
        return {"ok": json.loads(json.dumps(result))}
    except (TypeError, ValueError) as error:
        return failure("Runtime.MarshalError", f"Unable to marshal response: {error}")


def main(requests: TextIO, responses: TextIO, runtime: str) -> None:
    """Answer the first message (initialise) and then one message per invocation."""

    def answer(response: dict[str, Any]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        responses.write(json.dumps(response) + "\n")
        responses.flush()

    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], runtime]
    travel = importlib.import_module("time_machine").travel(
        json.loads(requests.readline())["now"], tick=False
    )
    clock = travel.start()
    handler = load(os.environ["_HANDLER"])
    if isinstance(handler, dict):
        answer(handler)
        return
    answer({"ok": None})
    for line in requests:
        request = json.loads(line)
        clock.move_to(request["now"], tick=False)
        answer(run(handler, request))


if __name__ == "__main__":
    main(os.fdopen(int(sys.argv[1])), os.fdopen(int(sys.argv[2]), "w"), sys.argv[3])
