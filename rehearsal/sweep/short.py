"""A short life: every sixth flight, and a March in which late and punctual are swapped, so that it alarms in days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config.delivery import load_delivery
from config.schema import load
from rehearsal.engine import Account
from rehearsal.engine.iam import enforcement
from rehearsal.scenarios.deployment import Deployment, synthesise
from rehearsal.scenarios.expectations import check
from rehearsal.scenarios.expected import Expected
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.load import STANDARD, find
from rehearsal.scenarios.project import lay_out
from rehearsal.scenarios.pushes import Push
from rehearsal.scenarios.table_changes import Table, write_changed
from rehearsal.scenarios.turn import Outcome, Pipeline, Scenario, play

CONFIG = Path(__file__).with_name("short.yaml")
FLIGHTS = find(STANDARD).scenario(Path())
SLOW = next(push.changes for push in FLIGHTS.pushes if push.end == "rolled-back")
TABLE = Table.model_validate(
    {
        "folder": "examples/flights",
        "history": FLIGHTS.history,
        "keep_every": 6,
        "changes": [{"from": FLIGHTS.start, "column": "late", "swap": True}],
    }
)
END, SLOW_AT = datetime(2013, 3, 3, tzinfo=UTC), datetime(2013, 3, 3, 15, tzinfo=UTC)
SEASON_END = datetime(2013, 4, 27, tzinfo=UTC)
"""After it the season brings a second retrain and nothing new: the alarm and all pushes have come by then."""


@dataclass(frozen=True)
class Made:
    """What a short life is played from."""

    repository: Path
    assembly: Path
    tables: Path

    @classmethod
    def under(cls, directory: Path) -> Made:
        return cls(directory / "repository", directory / "cdk.out", directory / "tables")

    @property
    def environment(self) -> Path:
        return self.assembly / "assembly-dev"


def make(directory: Path, config: Path = CONFIG) -> Made:
    """Lay out and synthesise the project as it is but for the configuration; write tables."""
    made = Made.under(directory)
    lay_out(made.repository, {"config/dev.yaml": config.read_text()})
    synthesise(made.assembly, made.repository)
    write_tables(made.tables)
    return made


def write_tables(directory: Path) -> None:
    write_changed(TABLE, FLIGHTS.tables, directory, end=END)


def scenario(tables: Path) -> Scenario:
    """Of the season only its beginning: so what the season expects is not expected of it."""
    return replace(
        FLIGHTS,
        name="short",
        tables=tables,
        end=END,
        retrains=1,
        pushes=(),
        expected=Expected(),
        later=None,
        judges_grants=False,
    )


Look = Callable[[Outcome], None]


def nowhere(_: Outcome) -> None:
    """Looks at nothing."""


def live(made: Made, directory: Path, look: Look = nowhere) -> list[Finding]:
    """Deployed directly, two days long: what is expected of it, and whether it came."""
    return _play(made, directory, scenario(made.tables), None, look)


def live_by_push(made: Made, directory: Path, look: Look = nowhere) -> list[Finding]:
    """The same by the delivery pipeline, and on the day after a release that must be rolled back."""
    slow = Push(SLOW_AT, "a model that is slow under load", "rolled-back", SLOW)
    played = replace(scenario(made.tables), pushes=(slow,))
    return _play(made, directory, played, _pipeline(made), look)


def season(made: Made, directory: Path) -> list[Finding]:
    """What `make rehearse` plays, up to the day on which all that it brings has come once."""
    played = replace(FLIGHTS, end=SEASON_END, retrains=1, expected=Expected(), later=None)
    return _play(made, directory, played, _pipeline(made), nowhere)


def _pipeline(made: Made) -> Pipeline:
    delivery = load_delivery(made.repository / "config")
    if delivery is None:
        raise SystemExit("config/delivery.yaml names no environment: there is no pipeline to push to")
    return Pipeline(delivery, made.assembly)


def _play(
    made: Made, directory: Path, played: Scenario, pipeline: Pipeline | None, look: Look
) -> list[Finding]:
    config = load(made.repository / "config" / "dev.yaml")
    start = played.start - timedelta(hours=2)
    with Account(start=start, directory=directory, region=config.region) as account:
        enforcement.record(account)
        deployment = Deployment(account, config, made.environment, made.repository)
        outcome = play(deployment, played, pipeline)
        look(outcome)
        return check(outcome)
