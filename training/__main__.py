"""The image's one entry point: `python -m training prepare | train | evaluate | serve`; and `check_model`, by hand."""

from __future__ import annotations

import importlib
import sys
import traceback

from training import paths
from training.errors import Refused

# Where SageMaker looks for the reason of a failure; a server has no such file.
REASON_FILES = {
    "prepare": "message",
    "train": "failure",
    "evaluate": "message",
    "serve": None,
    "check_model": None,
}
REASON_BYTES = 1024


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in REASON_FILES:
        print(f"got {arguments}, expected one of: {', '.join(REASON_FILES)}", file=sys.stderr)
        return 2
    command = arguments[0]
    try:
        importlib.import_module(f"training.{command}").main()
    except Refused as refusal:
        return fail(command, str(refusal))
    except Exception as error:
        traceback.print_exc()
        return fail(command, f"{command} stopped on {type(error).__name__}: {error}")
    return 0


def fail(command: str, reason: str) -> int:
    print(reason, file=sys.stderr)
    if name := REASON_FILES[command]:
        file = paths.output(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(reason.encode()[:REASON_BYTES])
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
