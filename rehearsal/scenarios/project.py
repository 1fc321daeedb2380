"""This project with a configuration of its own: of the one environment that is played."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from config.schema import DELIVERY_FILE
from rehearsal.scenarios.workplace import copy_project


def lay_out(directory: Path, files: Mapping[str, str]) -> None:
    """A copy of the project with these files (path in the project -> text) and no other environment."""
    copy_project(directory)
    (directory / ".venv").symlink_to(sys.prefix)
    for other in (directory / "config").glob("*.yaml"):
        if other.name != DELIVERY_FILE:
            other.unlink()
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
