"""One turn of a model's life: deploy, train, release, serve, capture, measure, alarm, retrain, release again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from config.delivery import Delivery
from rehearsal.engine.job_faults import Fault
from rehearsal.scenarios import calendar, neighbour
from rehearsal.scenarios.batch_traffic import BatchWorld
from rehearsal.scenarios.calendar import Calendar
from rehearsal.scenarios.dataset import hours
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.expected import Expected, Later
from rehearsal.scenarios.neighbour import NearMiss
from rehearsal.scenarios.parity import Parity, check_parity
from rehearsal.scenarios.pushes import Push, Pushed, Pusher
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
    pushes: tuple[Push, ...] = ()
    """What the owner pushes while the model lives, in the order of their times."""
    retrains: int = 1
    """How many runs an alarm must have started at least."""
    expected: Expected = field(default_factory=Expected)
    later: Later | None = None
    faults: tuple[Fault, ...] = ()
    judges_grants: bool = False
    """Does it use what the roles may do as a whole life does?"""

    @property
    def expects_drift(self) -> bool:
        """Of a table that nobody knows it is neither expected nor forbidden."""
        return self.retrains > 0


@dataclass(frozen=True)
class Pipeline:
    """The delivery pipeline as its configuration and the cloud assembly have it."""

    delivery: Delivery
    assembly: Path
    engine: str = ""
    """The path of a container engine that builds the images too."""


@dataclass
class Outcome:
    """What a scenario leaves for the expectations and the summary to look at."""

    scenario: Scenario
    deployment: Deployment
    image_digest: str = ""
    first_training: dict[str, Any] = field(default_factory=dict)
    world: World | None = None
    parity: Parity | None = None
    calendar: Calendar | None = None
    """What to compare with, in the making."""
    near_misses: list[NearMiss] = field(default_factory=list)
    pipeline: Pipeline | None = None
    """By which the deployment is brought up; without one it is deployed directly."""
    pusher: Pusher | None = None
    pushed: list[Pushed] = field(default_factory=list)
    refused: str = ""
    """Why the gate refused the first model of a table that nobody knows; then there is nothing to play."""
    stopped: str = ""
    """Why the scenario could not be played to its end."""


def play(deployment: Deployment, scenario: Scenario, pipeline: Pipeline | None = None) -> Outcome:
    """Play the scenario to its end, or to the point at which it cannot go on; `stopped` then says why."""
    outcome = Outcome(scenario, deployment, pipeline=pipeline)
    try:
        _play(outcome)
    except Exception as error:  # the findings say more than a traceback
        outcome.stopped = f"{type(error).__name__}: {error}"
    return outcome


def _play(outcome: Outcome) -> None:
    deployment = outcome.deployment
    bring_up = _by_push if outcome.pipeline else directly
    bring_up(outcome)
    schema = live_schema(deployment)
    if schema is None:
        outcome.refused = "" if outcome.scenario.expects_drift else _refusal(deployment)
        return
    outcome.calendar = calendar.begin(deployment, outcome.scenario, schema)
    world = BatchWorld if deployment.config.serving.mode == "batch" else World
    outcome.world = world(deployment, schema["features"], schema["target"])
    _live(outcome, time=schema["time"])
    outcome.near_misses = neighbour.make_noise(deployment.account)


def directly(outcome: Outcome) -> None:
    """`make deploy`, and a person asks for the first run."""
    deployment = outcome.deployment
    deployment.deploy()
    outcome.image_digest = deployment.push_image(deployment.repository)
    _bring_table(outcome)
    request = {"cause": "push", "incident": outcome.image_digest}
    outcome.first_training = deployment.call("start_training", request)
    deployment.account.pump()


def _by_push(outcome: Outcome) -> None:
    """`cdk deploy`, and then everything by pushes: the first finds no table, the second trains on it."""
    deployment, pipeline = outcome.deployment, outcome.pipeline
    assert pipeline
    outcome.pusher = Pusher.deploy(deployment, pipeline.delivery, pipeline.assembly, pipeline.engine)
    now = deployment.account.clock.now()
    _push(outcome, Push(now, "the first push", "nothing-new"))
    if outcome.pushed[0].status != "SUCCEEDED":
        return
    _bring_table(outcome)
    _push(outcome, Push(now, "the table came", "released"))
    outcome.first_training = _first_start(deployment)


def _push(outcome: Outcome, push: Push) -> None:
    assert outcome.pusher
    outcome.pushed.append(outcome.pusher.push(push))


def _bring_table(outcome: Outcome) -> None:
    scenario = outcome.scenario
    outcome.deployment.upload_history([scenario.tables / name for name in scenario.history])
    outcome.deployment.call("build_snapshot", {})


def _first_start(deployment: Deployment) -> dict[str, Any]:
    """What `start_training` decided when it first started a run, as its answer has it."""
    decided = [body for body in deployment.ledger_bodies("DECISION") if body["kind"] == "training"]
    return {"decision": next((body for body in decided if body["verdict"] == "start"), {})}


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
    pushes = deque(scenario.pushes if outcome.pusher else ())
    for hour in hours(scenario.tables, time=time, start=scenario.start, end=scenario.end):
        if hour.at < account.clock.now():
            continue  # the first model was still in training
        _do_what_is_due(outcome, pushes, until=hour.at)
        account.advance_to(hour.at)
        world.ask(hour)
        _compare_first_answer(outcome)
    end = scenario.end + timedelta(days=1)
    _do_what_is_due(outcome, pushes, until=end)
    account.advance_to(end)
    world.give_up()


def _compare_first_answer(outcome: Outcome) -> None:
    """With the model that gave it, while that is still the champion."""
    if outcome.parity is None and outcome.world and outcome.world.answers:
        outcome.parity = check_parity(outcome.deployment, outcome.world.answers[0])


def _do_what_is_due(outcome: Outcome, pushes: deque[Push], *, until: datetime) -> None:
    """Labels and pushes, each at its own time; a push may last, and what came due meanwhile comes after it."""
    world, account = outcome.world, outcome.deployment.account
    assert world is not None
    while True:
        labels, push = world.labels_due(), pushes[0].at if pushes else None
        due = min((at for at in (labels, push) if at and at <= until), default=None)
        if due is None:
            return
        account.advance_to(max(due, account.clock.now()))
        if due == labels:
            world.deliver_labels()
        else:
            _push(outcome, pushes.popleft())
