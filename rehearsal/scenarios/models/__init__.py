"""Models that a person pushes in a rehearsal, each as the files that it changes: path in the project -> new text."""

from __future__ import annotations

from pathlib import Path

from rehearsal.scenarios.deployment import ROOT

_MODEL = "training/model.py"
_AS_IT_IS = (ROOT / _MODEL).read_text()

AS_IT_IS = {_MODEL: _AS_IT_IS}
RAISING = {
    _MODEL: _AS_IT_IS
    + """

def estimator():
    raise RuntimeError("a library that is not there yet")
"""
}
HOUR_ALONE = {
    _MODEL: _AS_IT_IS
    + """

def estimator():
    columns = ColumnTransformer([("hour", "passthrough", ["hour"])])
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=10, max_leaf_nodes=3, random_state=0))
"""
}
"""Cheap, and clearly worse."""
SLOW = {
    _MODEL: _AS_IT_IS
    + """

from training.slow import slow_down

_fast = estimator


def estimator():
    return slow_down(_fast())
""",
    "training/slow.py": (Path(__file__).parent / "slow.py").read_text(),
}
WITHOUT_SLOW = {**AS_IT_IS, "training/slow.py": None}
