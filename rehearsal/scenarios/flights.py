"""The standard scenario: the flights of 1 March to 15 July 2013, and what the model's owner pushes meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime

from rehearsal.scenarios.deployment import ROOT
from rehearsal.scenarios.models import slow
from rehearsal.scenarios.pushes import Push
from rehearsal.scenarios.turn import Scenario

MODEL = "training/model.py"
AS_IT_IS = (ROOT / MODEL).read_text()
BROKEN = """

def estimator():
    raise RuntimeError("a library that is not there yet")
"""
COARSE = """

def estimator():
    columns = ColumnTransformer([("hour", "passthrough", ["hour"])])
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=3, random_state=0))
"""
"""The hour alone: cheap, and clearly worse."""


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
        Push(_at(4, 3), "a model that raises", "refused-by-verify", {MODEL: AS_IT_IS + BROKEN}),
        Push(_at(4, 10), "a model of the hour alone", "refused-by-gate", {MODEL: AS_IT_IS + COARSE}),
        Push(_at(4, 11), "that model taken back", "nothing-new", {MODEL: AS_IT_IS}),
        Push(
            _at(4, 25),
            "a model that is slow under load",
            "rolled-back",
            {MODEL: AS_IT_IS + slow.WRAPPED, "training/slow.py": slow.text()},
        ),
        Push(_at(4, 26), "that one taken back", "nothing-new", {MODEL: AS_IT_IS, "training/slow.py": None}),
    ),
    retrains=2,
)
