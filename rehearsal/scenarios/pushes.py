"""What the model's owner pushes while the model lives, and what must come of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rehearsal.scenarios.deployment import ROOT, Deployment

MODELS = Path(__file__).parent / "models"
MODEL = "training/model.py"

Expected = Literal["released", "nothing-new", "refused-by-gate"]


@dataclass(frozen=True)
class Push:
    """A commit: the files that it changes against the project as it is, and how it is to end."""

    at: datetime
    what: str
    expected: Expected
    changes: Mapping[str, Path] = field(default_factory=dict)
    """Path in the project -> the file that takes its place."""


@dataclass(frozen=True)
class Pushed:
    """A push that was carried out, and what `start_training` answered."""

    push: Push
    image_digest: str
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def run_id(self) -> str | None:
        plan = self.answer.get("plan")
        return str(plan["run_id"]) if plan and self.answer["decision"]["verdict"] == "start" else None


def carry_out(deployment: Deployment, push: Push, checkout: Path) -> Pushed:
    """Check the commit out, build its image, deploy Training with it, and ask for a run.

    An image's tag never moves, so each push has one of its own, as a commit's hash would be.
    """
    shutil.rmtree(checkout, ignore_errors=True)
    for folder in ("domain", "training", "requirements"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / ".dockerignore", checkout)
    for path, source in push.changes.items():
        shutil.copy2(source, checkout / path)
    digest = deployment.push_image(checkout, tag=f"push-{push.at:%Y%m%dT%H%M}")
    answer = deployment.call("start_training", {"cause": "push", "incident": digest})
    deployment.account.pump()
    return Pushed(push, digest, answer)
