"""A model that chooses among classes, from the table to its server; its metrics against scikit-learn."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.linear_model import LogisticRegression

from domain.capture import parse_capture, parse_labels
from domain.loss import mean_loss
from domain.snapshot import Schema as Columns
from domain.snapshot import join
from tests.training.job import Job, Row, estimator, model_py, packed, rows_of
from training.answers import WRITERS
from training.artefact import Model
from training.default import pipeline
from training.multiclass import multiclass_quality
from training.server import Limits, Server
from training.telemetry import PredictionMetric

CLASSES = ("cold", "mild, or so", "7")
FEATURES = {"place": "category", "heat": "number", "wind": "number"}


def rows(days: int = 24) -> list[Row]:
    """The weather follows the heat, most of the time."""
    draw = random.Random(3)
    found = rows_of(days)
    for row in found:
        place = int(float(row["heat"]) // 14)
        row["weather"] = CLASSES[place if draw.random() < 0.8 else draw.randrange(3)]
    return found


def weather(**changes: Any) -> SimpleNamespace:
    names = {"TASK": "multiclass", "TARGET": "weather", "CLASSES": CLASSES, "FEATURES": FEATURES}
    names["estimator"] = lambda: estimator(LogisticRegression(max_iter=1000))
    return model_py(**(names | changes))


def trees() -> Any:
    return pipeline("multiclass", FEATURES).set_params(histgradientboostingclassifier__max_iter=40)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's directory after check, training and evaluation; the same model is its champion."""
    base = tmp_path_factory.mktemp("ml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        job = Job(base, monkeypatch)
        job.use(weather(estimator=trees))
        job.trained(rows())
        assert job.run("evaluate") == 0
    return base


@pytest.fixture(scope="module")
def report(judged: Path) -> Any:
    return json.loads((judged / "processing" / "report" / "report.json").read_text())


def server(judged: Path) -> Server:
    return Server(
        Model.from_directory(judged / "model"), name="m", metric=PredictionMetric("", ""), limits=Limits()
    )


def asked(judged: Path, accept: bytes, body: bytes = b"north,3,1\nsouth,39,\n") -> Any:
    return server(judged).invoke({b"content-type": b"text/csv", b"accept": accept}, body)


def test_a_model_of_three_classes_beats_their_shares_and_says_how_sure_it_is(report: Any) -> None:
    assert report["gate"]["rule"] == "beats-base-rate"
    assert report["gate"]["passed"]
    found = report["multiclass_classification_metrics"]
    assert report["heldout_loss"] == pytest.approx(found["log_loss"]["value"])
    assert found["accuracy"]["value"] > 0.7 > found["accuracy_best_constant_classifier"]["value"]
    assert found["log_loss_skill"]["value"] > 0.3
    assert report["calibration"]["expected_calibration_error"] < 0.1
    assert report["importance"][0]["feature"] == "heat"
    assert {one["class"] for one in report["per_class"]} == set(CLASSES)


def test_its_reference_has_the_loss_and_the_entropy_of_each_day(report: Any) -> None:
    [first, *_] = report["reference"]["days"]
    _, count, micro_loss, micro_expected = first
    assert count == 40
    assert 0 < micro_expected / 40e6 < np.log(3)
    assert micro_loss > 0


def test_its_page_shows_each_class_and_which_is_taken_for_which(judged: Path) -> None:
    page = (judged / "processing" / "report" / "report.html").read_text()
    assert "said mild, or so" in page
    assert "calibration" in page
    assert "ROC" not in page


def test_the_server_answers_a_probability_a_class_and_says_their_order(judged: Path) -> None:
    answer = json.loads(asked(judged, b"application/json").body)
    assert (answer["model"], tuple(answer["classes"])) == ("m", CLASSES)
    assert [np.argmax(one) for one in answer["predictions"]] == [0, 2]
    assert [sum(one) for one in answer["predictions"]] == pytest.approx([1, 1], abs=1e-5)
    lines = asked(judged, b"application/jsonlines").body.splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == answer["predictions"]
    cells = [[float(cell) for cell in line.split(b",")] for line in asked(judged, b"text/csv").body.split()]
    assert cells == answer["predictions"]


@pytest.mark.parametrize("accept", sorted(WRITERS))
def test_captured_answers_of_every_type_meet_the_labels_of_their_classes(judged: Path, accept: str) -> None:
    answer = asked(judged, accept.encode(), b"north,3,1\nsouth,39,\nnorth,20,1\n")
    sides = {
        "endpointInput": {
            "data": "north,3,1\nsouth,39,\nnorth,20,1\n",
            "encoding": "CSV",
            "observedContentType": "text/csv",
        },
        "endpointOutput": {
            "data": answer.body.decode(),
            "encoding": "CSV" if "csv" in accept else "JSON",
            "observedContentType": accept,
        },
    }
    meta = {"eventId": "r1", "inferenceTime": "2013-02-01T00:00:00Z"}
    line = json.dumps({"captureData": sides, "eventMetadata": meta})
    exchanges, skipped = parse_capture(line, tuple(FEATURES))
    truth = {
        "groundTruthData": {"data": "cold\nwarm\n7", "encoding": "CSV"},
        "eventMetadata": {"eventId": "r1"},
    }
    schema = Columns("multiclass", "weather", "at", tuple(FEATURES), CLASSES)
    joined = join(exchanges, parse_labels(json.dumps(truth))[0], schema)
    assert (skipped, joined.unmatched, joined.bad_labels) == (0, 0, 1)
    assert sorted(row[4] for row in joined.rows) == ["7", "cold"]
    [[day]] = joined.loss.values()
    [cold, _, seven] = exchanges[0].predictions
    assert day.micro_loss == pytest.approx(2e6 * mean_loss("multiclass", [cold, seven], [0, 2]), abs=2)


def test_a_champion_of_other_classes_is_no_champion(judged: Path, job: Job) -> None:
    job.use(weather())
    job.trained(rows())
    job.archive_to("processing", "plan", "champion.tar.gz")
    job.use(weather(CLASSES=(*CLASSES, "8")))
    table = rows()
    for row in table[::20]:
        row["weather"] = "8"
    job.trained(table)
    assert job.run("evaluate") == 0
    assert job.json("report", "report.json")["no_champion"] == (
        "the champion knows the classes cold, mild, or so, 7; CLASSES in model.py are others"
    )


@pytest.mark.parametrize(
    "classes, task, reason",
    [
        (("a", "b"), "multiclass", "CLASSES names 2, allowed are 3 to 50 classes"),
        ([f"c{i}" for i in range(51)], "multiclass", "CLASSES names 51, allowed are 3 to 50 classes"),
        (("a", "b", "a"), "multiclass", "CLASSES names 'a' twice"),
        (("a", "b", " c"), "multiclass", "CLASSES names ' c', expected"),
        (CLASSES, "binary", "model.py has CLASSES, and TASK is 'binary'"),
    ],
    ids=["two", "too-many", "repeated", "space", "binary"],
)
def test_classes_that_cannot_be_are_refused(job: Job, classes: Any, task: str, reason: str) -> None:
    job.use(weather(CLASSES=classes, TASK=task))
    assert job.run("prepare") == 1
    assert reason in job.reason("message")


def test_a_row_of_no_known_class_and_a_class_too_rare_to_learn_stop_the_run(job: Job) -> None:
    job.use(weather())
    table = rows()
    table[5]["weather"] = "hail"
    job.deliver([packed(table)])
    assert job.run("prepare") == 1
    assert "1 that are not, the first 'hail', allowed: one of cold" in job.reason("message")
    job.use(weather(CLASSES=(*CLASSES, "hail")))
    assert job.run("prepare") == 1
    assert "1 of 400 rows are 'hail', the rarest of 4 classes" in job.reason("message")


def test_the_contract_of_model_py_is_checked_on_every_class(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    job.use(weather())
    assert job.run("check_model") == 0
    assert "keeps its contract" in capsys.readouterr().out
    job.use(weather(CLASSES=(*CLASSES, "8", "9")))
    assert job.run("check_model") == 0


RNG = np.random.default_rng(5)
ROWS = 3000
DAYS = np.arange(ROWS) * 14 // ROWS
SHARES = np.array([0.5, 0.3, 0.15, 0.05])
TRUTH = RNG.choice(4, ROWS, p=SHARES).astype(float)
PROBABILITIES = RNG.dirichlet([1, 1, 1, 1], ROWS) + 0.6 * (TRUTH[:, None] == np.arange(4))
PROBABILITIES /= PROBABILITIES.sum(axis=1, keepdims=True)
SAID = PROBABILITIES.argmax(axis=1)
FOUND = multiclass_quality(PROBABILITIES, TRUTH, DAYS, classes=("a", "b", "c", "d"), shares=SHARES)


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("accuracy", oracle.accuracy_score(TRUTH, SAID)),
        ("balanced_accuracy", oracle.balanced_accuracy_score(TRUTH, SAID)),
        ("macro_f1", oracle.f1_score(TRUTH, SAID, average="macro")),
        ("macro_precision", oracle.precision_score(TRUTH, SAID, average="macro")),
        ("weighted_f1", oracle.f1_score(TRUTH, SAID, average="weighted")),
        ("weighted_recall", oracle.recall_score(TRUTH, SAID, average="weighted")),
        ("mcc", oracle.matthews_corrcoef(TRUTH, SAID)),
        ("log_loss", oracle.log_loss(TRUTH, PROBABILITIES)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_metric_of_classes_is_what_scikit_learn_says(name: str, theirs: float) -> None:
    assert FOUND["multiclass_classification_metrics"][name]["value"] == pytest.approx(theirs, abs=1e-9)
    low, high = FOUND["intervals"][name]
    assert low < theirs < high


def test_the_confusion_matrix_and_each_class_are_what_scikit_learn_says() -> None:
    matrix = FOUND["multiclass_classification_metrics"]["confusion_matrix"]
    assert [list(row.values()) for row in matrix.values()] == oracle.confusion_matrix(TRUTH, SAID).tolist()
    theirs = oracle.f1_score(TRUTH, SAID, average=None)
    assert [one["f1"]["value"] for one in FOUND["per_class"]] == pytest.approx(theirs.tolist())
    assert all(one["f1"]["interval"][0] < one["f1"]["value"] for one in FOUND["per_class"])


def test_a_class_that_never_came_has_no_recall_and_spoils_no_mean() -> None:
    truth = np.where(TRUTH == 3, 0, TRUTH)
    found = multiclass_quality(PROBABILITIES, truth, DAYS, classes=("a", "b", "c", "d"), shares=SHARES)
    assert found["per_class"][3]["recall"] == {"value": None, "interval": None}
    assert found["multiclass_classification_metrics"]["balanced_accuracy"]["value"] is not None
