"""The standard scenario: the flights of 1 March to 15 July 2013, and what the model's owner pushes meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

from rehearsal.scenarios.deployment import ROOT
from rehearsal.scenarios.models import AS_IT_IS, HOUR_ALONE, RAISING, SLOW, WITHOUT_SLOW
from rehearsal.scenarios.pushes import Push
from rehearsal.scenarios.turn import Scenario


def _at(month: int, day: int) -> datetime:
    return datetime(2013, month, day, 15, tzinfo=UTC)


FLIGHTS = Scenario(
    name="flights",
    tables=ROOT / "examples" / "flights",
    history=("2013-01.csv.gz", "2013-02.csv.gz"),
    start=datetime(2013, 3, 1, tzinfo=UTC),
    end=datetime(2013, 7, 16, tzinfo=UTC),
    pushes=(
        Push(_at(3, 20), "a typo in the README", "nothing-new", {"README.md": "# Tideline\n"}),
        Push(_at(4, 3), "a model that raises", "refused-by-verify", RAISING),
        Push(_at(4, 10), "a model of the hour alone", "refused-by-gate", HOUR_ALONE),
        Push(_at(4, 11), "that model taken back", "nothing-new", AS_IT_IS),
        Push(_at(4, 25), "a model that is slow under load", "rolled-back", SLOW),
        Push(_at(4, 26), "that one taken back", "nothing-new", WITHOUT_SLOW),
    ),
    retrains=2,
)
