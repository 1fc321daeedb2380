"""This project with another configuration of the one environment that is played."""

from __future__ import annotations

import shutil
from pathlib import Path

from rehearsal.scenarios.deployment import ROOT
from rehearsal.scenarios.workplace import files_of


def lay_out(directory: Path, *, environment: str, config: str) -> Path:
    """A copy of the project in which `config/` has this environment alone; returns its configuration file."""
    for path in files_of(ROOT):
        if path.parent == ROOT / "config" and path.suffix == ".yaml" and path.name != "delivery.yaml":
            continue
        target = directory / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    (directory / ".venv").symlink_to(ROOT / ".venv")
    file = directory / "config" / f"{environment}.yaml"
    file.write_text(config)
    return file
