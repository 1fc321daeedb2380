"""What a calendar would have done: a model at the start and one on each first of a month, on all rows so far."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.engine import images
from rehearsal.scenarios import calendar_models
from rehearsal.scenarios.calendar_models import Plan, Predictions
from rehearsal.scenarios.deployment import ROOT, Deployment

if TYPE_CHECKING:
    from rehearsal.scenarios.turn import Scenario


@dataclass(frozen=True)
class Calendar:
    """The models of the calendar in the making: beside the season, of which they need nothing but its rows."""

    process: subprocess.Popen[bytes]
    directory: Path

    def predictions(self) -> Predictions:
        """What they would have answered. Raises RuntimeError with the reason if one cannot be trained."""
        if self.process.wait():
            said = (self.directory / "log").read_text(errors="replace").strip()
            raise RuntimeError((said or "no reason given").splitlines()[-1])
        answers: dict[str, list[Any]] = json.loads((self.directory / calendar_models.ANSWERS).read_text())
        return {inference_id: tuple(values) for inference_id, values in answers.items()}

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def begin(deployment: Deployment, scenario: Scenario, schema: dict[str, Any]) -> Calendar | None:
    """Start to train by the code of the first release's image, if the season has a first of a month."""
    if not calendar_models.firsts(scenario.start, scenario.end):
        return None
    uri = deployment.ledger_bodies("RELEASE")[0]["parameter"].split(",")[2]
    image = images.resolve(deployment.account, uri)
    plan = Plan(
        tables=str(scenario.tables),
        history=scenario.history,
        start=scenario.start.isoformat(),
        end=scenario.end.isoformat(),
        time=schema["time"],
        features=tuple(schema["features"]),
        code=str(image.directory / image.config.workdir.strip("/")),
    )
    directory = deployment.account.directory / "calendar"
    directory.mkdir()
    (directory / calendar_models.PLAN).write_text(json.dumps(asdict(plan)))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", calendar_models.__name__, str(directory)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    calendar = Calendar(process, directory)
    deployment.account.on_close(calendar.stop)
    return calendar
