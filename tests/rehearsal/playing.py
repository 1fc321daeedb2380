"""`python -m rehearsal` in a fork of a process that has imported it: what takes seconds is imported once."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

from config.schema import ROOT

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["rehearsal.__main__", __name__])


def play(arguments: list[str], printed: Path) -> int:
    """The exit code of the command; what it prints is in the file `printed`."""
    process = FORKS.Process(target=_play, args=(arguments, str(printed)))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _play(arguments: list[str], printed: str) -> None:
    from rehearsal.__main__ import main

    output = os.open(printed, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(ROOT)
    sys.argv = ["rehearsal", *arguments]
    sys.exit(main())
