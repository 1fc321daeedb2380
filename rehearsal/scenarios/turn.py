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
from rehearsal.scenarios.pushes import MODEL, MODELS, Push, Pushed, carry_out
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
    pushes: tuple[Push, ...]
    """In the order of their times; the first one brings the first model."""
    retrains: int = 1
    """How many runs an alarm must have started at least."""


FLIGHTS = Scenario(
    name="flights",
    tables=ROOT / "examples" / "flights",
    history=("2013-01.csv.gz", "2013-02.csv.gz"),
    start=datetime(2013, 3, 1, tzinfo=UTC),
    end=datetime(2013, 7, 16, tzinfo=UTC),
    pushes=(
        Push(datetime(2013, 2, 28, 22, tzinfo=UTC), "the first commit", "released"),
        Push(datetime(2013, 3, 20, 15, tzinfo=UTC), "a typo in the README", "nothing-new"),
        Push(
            datetime(2013, 4, 10, 15, tzinfo=UTC),
            "a model that knows no weather",
            "refused-by-gate",
            {MODEL: MODELS / "coarse.py"},
        ),
        Push(datetime(2013, 4, 11, 15, tzinfo=UTC), "that model taken back", "nothing-new"),
    ),
    retrains=2,
)


@dataclass
class Outcome:
    """What a scenario leaves for the expectations and the summary to look at."""

    scenario: Scenario
    deployment: Deployment
    pushed: list[Pushed] = field(default_factory=list)
    world: World | None = None
    parity: Parity | None = None
    near_misses: list[NearMiss] = field(default_factory=list)
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
    deployment.upload_history([scenario.tables / name for name in scenario.history])
    deployment.call("build_snapshot", {})
    _push(outcome)
    schema = live_schema(deployment)
    if schema is None:
        return
    outcome.world = World(deployment, schema["features"], schema["target"])
    _live(outcome, time=schema["time"])
    outcome.near_misses = neighbour.make_noise(deployment.account)


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
        _do_what_is_due(outcome, until=hour.at)
        account.advance_to(hour.at)
        answer = world.ask(hour)
        if outcome.parity is None:
            outcome.parity = check_parity(outcome.deployment, answer)
    _do_what_is_due(outcome, until=scenario.end + timedelta(days=1))
    account.advance_to(scenario.end + timedelta(days=1))


def _do_what_is_due(outcome: Outcome, *, until: datetime) -> None:
    """Labels and pushes, each at its own time."""
    world, account = outcome.world, outcome.deployment.account
    assert world is not None
    while True:
        labels, push = world.labels_due(), _next_push(outcome)
        at = min(time for time in (labels, push, until + timedelta(seconds=1)) if time)
        if at > until:
            return
        account.advance_to(max(at, account.clock.now()))
        if at == labels:
            world.deliver_labels()
        else:
            _push(outcome)


def _next_push(outcome: Outcome) -> datetime | None:
    left = outcome.scenario.pushes[len(outcome.pushed) :]
    return left[0].at if left else None


def _push(outcome: Outcome) -> None:
    push = outcome.scenario.pushes[len(outcome.pushed)]
    checkout = outcome.deployment.account.directory / "checkout"
    outcome.pushed.append(carry_out(outcome.deployment, push, checkout))
