"""One turn of a model's life: deploy, train, release, serve, capture, measure, alarm, retrain, release again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.scenarios import neighbour
from rehearsal.scenarios.dataset import hours
from rehearsal.scenarios.deployment import ROOT, Deployment
from rehearsal.scenarios.neighbour import NearMiss
from rehearsal.scenarios.parity import Parity, check_parity
from rehearsal.scenarios.traffic import World


@dataclass(frozen=True)
class Scenario:
    """What is played: which table, from when to when. What must come of it stands in `expectations`."""

    name: str
    tables: Path
    history: tuple[str, ...]
    """File names of the tables that are there before the start."""
    start: datetime
    end: datetime
    retrains: int = 1
    """How many runs an alarm must have started at least."""

    @property
    def expects_drift(self) -> bool:
        """Of a table that nobody knows it is neither expected nor forbidden."""
        return self.retrains > 0


FLIGHTS = Scenario(
    name="flights",
    tables=ROOT / "examples" / "flights",
    history=("2013-01.csv.gz", "2013-02.csv.gz"),
    start=datetime(2013, 3, 1, tzinfo=UTC),
    end=datetime(2013, 5, 16, tzinfo=UTC),
)


@dataclass
class Outcome:
    """What a scenario leaves for the expectations and the summary to look at."""

    scenario: Scenario
    deployment: Deployment
    image_digest: str = ""
    first_training: dict[str, Any] = field(default_factory=dict)
    world: World | None = None
    parity: Parity | None = None
    near_misses: list[NearMiss] = field(default_factory=list)
    refused: str = ""
    """Why the gate refused the first model of a table that nobody knows; then there is nothing to play."""
    stopped: str = ""
    """Why the scenario could not be played to its end."""


def play(deployment: Deployment, scenario: Scenario) -> Outcome:
    """Play the scenario to its end, or to the point at which it cannot go on; `stopped` then says why."""
    outcome = Outcome(scenario, deployment)
    try:
        _play(outcome)
    except Exception as error:  # the findings say more than a traceback
        outcome.stopped = f"{type(error).__name__}: {error}"
    return outcome


def _play(outcome: Outcome) -> None:
    deployment, scenario = outcome.deployment, outcome.scenario
    deployment.deploy()
    outcome.image_digest = deployment.push_image()
    deployment.upload_history([scenario.tables / name for name in scenario.history])
    deployment.call("build_snapshot", {})
    request = {"cause": "push", "incident": outcome.image_digest}
    outcome.first_training = deployment.call("start_training", request)
    deployment.account.pump()
    schema = live_schema(deployment)
    if schema is None:
        outcome.refused = "" if scenario.expects_drift else _refusal(deployment)
        return
    outcome.world = World(deployment, schema["features"], schema["target"])
    _live(outcome, time=schema["time"])
    outcome.near_misses = neighbour.make_noise(deployment.account)


def _refusal(deployment: Deployment) -> str:
    gates = [d for d in deployment.ledger_bodies("DECISION") if d["kind"] == "gate"]
    return gates[0]["reasons"][0] if gates and gates[0]["verdict"] == "refused" else ""


def live_schema(deployment: Deployment) -> dict[str, Any] | None:
    """The columns of the model that is live, from its own report; None if nothing is live."""
    champions = deployment.ledger_bodies("CHAMPION")
    if not champions:
        return None
    report = deployment.read_json(champions[0]["report_uri"])
    schema = report["schema"]
    return {**schema, "features": [feature["name"] for feature in schema["features"]]}


def _live(outcome: Outcome, *, time: str) -> None:
    scenario, world, account = outcome.scenario, outcome.world, outcome.deployment.account
    assert world is not None
    for hour in hours(scenario.tables, time=time, start=scenario.start, end=scenario.end):
        if hour.at < account.clock.now():
            continue  # the first model was still in training
        _deliver_due_labels(outcome, until=hour.at)
        account.advance_to(hour.at)
        answer = world.ask(hour)
        if outcome.parity is None:
            outcome.parity = check_parity(outcome.deployment, answer)
    _deliver_due_labels(outcome, until=scenario.end + timedelta(days=1))
    account.advance_to(scenario.end + timedelta(days=1))


def _deliver_due_labels(outcome: Outcome, *, until: datetime) -> None:
    world, account = outcome.world, outcome.deployment.account
    assert world is not None
    while (due := world.labels_due()) and due <= until:
        account.advance_to(max(due, account.clock.now()))
        world.deliver_labels()
