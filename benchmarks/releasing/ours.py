"""Tideline's releases: one deployment, lived through with one instance, a canary of two, and linearly with four."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.process import ROOT
from benchmarks.releasing.traffic import Response, Traffic, request_body
from config.schema import Config
from rehearsal.engine import Account
from rehearsal.scenarios import bad_release, brought
from rehearsal.scenarios.brought import Change
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.turn import live_schema
from stacks.app import build

LONGEST_RELEASE_MINUTES = 90
SETTINGS: dict[str, Any] = {
    "name": "bench",
    "environment": "dev",
    "approval": "automatic",
    "gate": {"holdout_days": 7, "resamples": 100},
}


@dataclass(frozen=True)
class Life:
    """How the fleet is released, and what is released into it, in order."""

    name: str
    serving: dict[str, Any]
    releases: tuple[Change, ...]


GOOD, SLOW, SHIFTED = brought.as_it_is, brought.slow, brought.shifted
LIVES = (
    Life("one instance", {"instance_count": 1}, (*[GOOD] * 4, SLOW, *[GOOD] * 3)),
    Life(
        "canary of two",
        {"instance_count": 2},
        (*[GOOD] * 3, SLOW, *[GOOD] * 2, SHIFTED, *[GOOD] * 2),
    ),
    Life(
        "linear over four",
        {"instance_count": 4, "release": {"shift": "linear", "step_percent": 25}},
        (*[GOOD] * 3, SHIFTED, *[GOOD] * 2, SHIFTED, GOOD),
    ),
)


@dataclass(frozen=True)
class Released:
    """One release: what it was, how it ended, and each response from its start until it had settled."""

    life: str
    change: Change
    outcome: str
    responses: list[Response]


@dataclass
class Tideline:
    """A deployment in the local account whose first model is live."""

    deployment: Deployment
    champion: str
    body: bytes
    traffic: Traffic = field(init=False)

    def __post_init__(self) -> None:
        account = self.deployment.account
        self.traffic = Traffic(account, self.deployment.names.endpoint, self.body)

    def reshape(self, life: Life, directory: Path) -> None:
        """`make deploy` of a changed config/dev.yaml; traffic goes on."""
        config = Config.model_validate({**SETTINGS, "serving": life.serving})
        changed = Deployment(self.deployment.account, config, _assembly(config, directory))
        changed.deploy()
        self.deployment = changed
        self.traffic.live(1)

    def release(self, life: str, change: Change) -> Released:
        """Approve a version, and live until its release has ended."""
        first = len(self.traffic.responses)
        package = brought.bring(self.deployment, self.champion, change)
        bad_release.approve(self.deployment, package)
        for _ in range(LONGEST_RELEASE_MINUTES):
            self.traffic.live(1)
            last = self.deployment.ledger_bodies("RELEASE")[-1]
            if last["package_arn"] == package and self._is_at_rest():
                return Released(life, change, last["outcome"], self.traffic.responses[first:])
        raise RuntimeError(
            f"{life}: the release of {package} did not end in {LONGEST_RELEASE_MINUTES} minutes"
        )

    def _is_at_rest(self) -> bool:
        account = self.deployment.account
        found = account.client("cloudformation").describe_stacks(
            StackName=self.deployment.names.stack("serving")
        )
        return str(found["Stacks"][0]["StackStatus"]).endswith("COMPLETE") and not account.in_transition


def _assembly(config: Config, directory: Path) -> Path:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    build([config], outdir=directory, context=context).synth()
    return directory / f"assembly-{config.environment}"


@contextmanager
def deployed(scratch: Path) -> Iterator[Tideline]:
    """Deploy, train on January's flights, and have the first model live."""
    season = find(STANDARD).scenario(scratch)
    tables = season.tables
    config = Config.model_validate({**SETTINGS, "serving": LIVES[0].serving})
    assembly = _assembly(config, scratch / "first")
    with Account(start=season.start - timedelta(hours=2), directory=scratch / "account") as account:
        deployment = Deployment(account, config, assembly)
        deployment.deploy()
        deployment.upload_history([tables / season.history[0]])
        digest = deployment.push_image()
        deployment.call("build_snapshot", {})
        bad_release.train(deployment, digest)
        schema = live_schema(deployment)
        if schema is None:
            raise RuntimeError("the first model is not live; `make rehearse` shows where the loop breaks")
        champion = deployment.ledger_bodies("CHAMPION")[0]["package_arn"]
        body = request_body(tables / f"{season.start:%Y-%m}.csv.gz", schema["features"])
        yield Tideline(deployment, champion, body)
