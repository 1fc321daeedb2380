"""What MLflow is told of a run, and that its own client finds it again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT
from scripts.mlflow_runs import day_losses, metrics, parameters, reports
from tests.scripts.science import BIN, needs_science

REPORT: dict[str, Any] = {
    "schema": {"task": "binary", "target": "late", "features": [{"name": "temp (°F)", "kind": "number"}]},
    "plan": {
        "run_id": "run-a",
        "snapshot_id": "abc",
        "pipeline_name": "tideline-dev-train",
        "incident": None,
    },
    "gate": {"margin": 0.02, "rule": "beats-base-rate", "passed": True, "upper_bound": None},
    "loss": {"challenger": 0.125, "champion": None, "base_rate": 0.25},
    "binary_classification_metrics": {"auc": {"value": 0.75}, "mcc": {"value": None}},
    "intervals": {"auc": [0.5, 0.875], "mcc": None},
    "importance": [{"feature": "temp (°F)", "loss_increase": 0.5}],
    "day_losses": [
        {"day": "2013-02-27", "rows": 10, "challenger": 1.0},
        {"day": "2013-02-28", "rows": 10, "challenger": 1.5},
    ],
}

WRITE_TWICE_AND_READ_BACK = """
import json, sys
from mlflow import MlflowClient
from scripts.mlflow_runs import main
main()
main()
client = MlflowClient("sqlite:///" + sys.argv[1] + "/mlflow/mlflow.db")
[experiment] = [one for one in client.search_experiments() if one.name != "Default"]
runs = client.search_runs([experiment.experiment_id])
artefacts = sorted(one.path for one in client.list_artifacts(runs[0].info.run_id, "report"))
history = [[one.timestamp, one.value] for one in client.get_metric_history(runs[0].info.run_id, "loss.by_day")]
found = [[run.info.run_name, run.info.status, run.data.metrics, run.data.params] for run in runs]
print(json.dumps([experiment.name, found, artefacts, history]))
"""


def laid_out(directory: Path) -> Path:
    file = directory / "run-a" / "report" / "report.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(REPORT))
    return directory


def test_a_metric_has_its_value_and_its_interval_and_what_is_not_defined_is_left_out() -> None:
    assert metrics(REPORT) == {
        "loss.challenger": 0.125,
        "loss.base_rate": 0.25,
        "gate.passed": 1.0,
        "auc": 0.75,
        "auc.low": 0.5,
        "auc.high": 0.875,
        "importance.temp __F_": 0.5,
    }


def test_parameters_say_what_the_run_was_made_of_and_nothing_empty() -> None:
    found = parameters(REPORT)
    assert (found["snapshot_id"], found["features"], found["gate.margin"]) == ("abc", "temp (°F)", "0.02")
    assert "incident" not in found
    assert "classes" not in found


def test_a_folder_without_runs_is_refused_with_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no \*/report/report.json"):
        list(reports(tmp_path))


@needs_science
def test_mlflow_itself_finds_each_run_once_with_its_metrics_parameters_and_artefacts(tmp_path: Path) -> None:
    directory = laid_out(tmp_path)
    command = [BIN / "python", "-c", WRITE_TWICE_AND_READ_BACK, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *written, read = done.stdout.splitlines()
    assert [line.partition(" new runs")[0] for line in written] == ["1", "0"]
    experiment, [[name, status, values, params]], artefacts, history = json.loads(read)
    assert (experiment, name, status) == ("tideline-dev-train", "run-a", "FINISHED")
    assert values["auc"] == 0.75
    assert params["snapshot_id"] == "abc"
    assert artefacts == ["report/report.json"]
    assert history == [[at, loss] for at, loss in day_losses(REPORT)]
