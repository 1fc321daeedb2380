"""Where tables are printed: as wide as the window, or wide enough for whoever reads the pipe."""

from __future__ import annotations

import sys

from rich.console import Console

PIPED_WIDTH = 200


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
