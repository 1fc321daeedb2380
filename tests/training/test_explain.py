"""What moved an answer: by the library where it is installed, and a sentence where it is not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from config.schema import ROOT
from tests.scripts.science import BIN, needs_science
from tests.training.job import Job
from training.page_shap import moved

LINEAR = """
import json
import numpy as np, pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder
from sklearn.pipeline import make_pipeline
from training import explain as module
from training.artefact import Model
from training.schema import Schema
from training.train import to_onnx
from training import tables

rng = np.random.default_rng(0)
table = pd.DataFrame({
    "at": "2013-01-01T00:00:00Z", "place": rng.choice(["north", "south"], 200),
    "heat": rng.uniform(0, 9, 200).round(2).astype(str), "wind": rng.uniform(0, 9, 200).round(2).astype(str),
})
heat, wind = table["heat"].astype(float), table["wind"].astype(float)
table["y"] = (3 * heat - wind + 5 * (table["place"] == "north")).astype(str)
schema = Schema.of("regression", "y", "at", {"place": "category", "heat": "number", "wind": "number"})
columns = make_column_transformer((OneHotEncoder(), ["place"]), remainder="passthrough")
fitted = make_pipeline(columns, LinearRegression()).fit(tables.features(table, schema), tables.targets(table, schema))
model = Model(to_onnx(schema, fitted), schema)
found, again = (module.explain(model, table, table, 40) for _ in range(2))
assert found == again
background = module._spread(table, module.BACKGROUND_ROWS)
expected = 3 * (heat.iloc[0] - background["heat"].astype(float).mean())
print(json.dumps([found, expected]))
"""


def test_without_the_library_a_run_that_asks_for_it_stops_and_says_what_to_do(job: Job) -> None:
    job.trained()
    job.monkeypatch.setitem(sys.modules, "shap", None)
    job.monkeypatch.setenv("SHAP_ROWS", "7")
    assert job.run("evaluate") == 1
    assert job.reason("message").startswith(
        "explain.shap_rows is 7 and the image has no library shap; add a line"
    )


@needs_science
def test_a_linear_model_is_moved_by_each_feature_as_far_as_its_weight_says() -> None:
    done = subprocess.run(
        [BIN / "python", "-c", LINEAR], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout)
    assert found["features"][0]["feature"] == "heat"
    assert (found["rows"], found["background_rows"], len(found["samples"])) == (40, 20, 5)
    for sample in found["samples"]:
        moves = sum(one["value"] for one in sample["features"])
        assert sample["answer"] == pytest.approx(sample["average"] + moves, abs=1e-4)
    [heat] = [one["value"] for one in found["samples"][0]["features"] if one["feature"] == "heat"]
    assert heat == pytest.approx(expected, abs=1e-3)


def test_the_page_tells_the_features_that_moved_and_is_silent_where_nobody_asked() -> None:
    features = [{"feature": "<heat>", "value": -0.25}]
    sample = {"answer": 0.25, "average": 0.5, "features": features}
    page = moved({"rows": 1, "background_rows": 20, "features": features, "samples": [sample]})
    assert "&lt;heat&gt; -0.2500" in page
    assert moved(None) == ""
