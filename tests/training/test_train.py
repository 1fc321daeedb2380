from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from tests.training.job import Job, estimator, model_py, packed, regression_model_py, rows_of
from training.artefact import Model
from training.default import pipeline
from training.errors import Refused
from training.schema import Schema
from training.thresholds import round_down
from training.train import check_parity, to_onnx


def test_a_regression_is_judged_by_the_spread_of_its_answers(capsys: pytest.CaptureFixture[str]) -> None:
    expected = np.linspace(1.0, 900.0, 1000)
    check_parity(expected + 0.001, expected)
    assert "share_over_tolerance=0.000000" in capsys.readouterr().out
    with pytest.raises(Refused, match="ONNX answers otherwise"):
        check_parity(expected + 0.2, expected)


def test_a_feature_that_onnx_calls_its_own_output_is_refused_by_name() -> None:
    schema = Schema.of("binary", "late", "event_time", {"label": "number"})
    fitted = LogisticRegression().fit(pd.DataFrame({"label": [0.0, 1.0]}), [0, 1])
    with pytest.raises(Refused, match="ONNX uses the name 'label' itself"):
        to_onnx(
            schema,
            make_pipeline(ColumnTransformer([("same", "passthrough", ["label"])]), fitted).fit(
                pd.DataFrame({"label": [0.0, 1.0]}), [0, 1]
            ),
        )


def deliver(job: Job) -> None:
    job.file("input", "data", "train", "train.csv.gz").write_bytes(packed(rows_of()))


def test_training_leaves_a_graph_and_its_schema_and_prints_its_loss(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(job)
    assert job.run("train") == 0
    assert sorted(file.name for file in (job.base / "model").iterdir()) == ["model.onnx", "schema.json"]
    printed = capsys.readouterr().out
    assert re.search(r"^train:loss=0\.\d{6}$", printed, re.M)
    assert "parity:share_over_tolerance=0.000000" in printed


def test_the_graph_takes_a_column_a_feature_and_answers_with_the_chance_of_class_one(job: Job) -> None:
    deliver(job)
    job.run("train")
    model = Model.from_directory(job.base / "model")
    answers = model.predict({"place": ["north", "north"], "heat": [1.0, 39.0], "wind": [np.nan, 3.0]})
    assert answers[0] < 0.2
    assert answers[1] > 0.8


def test_a_category_never_seen_in_training_is_answered(job: Job) -> None:
    deliver(job)
    job.run("train")
    answers = Model.from_directory(job.base / "model").predict({"place": ["moon"], "heat": [20], "wind": [1]})
    assert 0.3 < answers[0] < 0.7


def test_a_regression_answers_with_its_value(job: Job) -> None:
    job.use(regression_model_py())
    deliver(job)
    assert job.run("train") == 0
    model = Model.from_directory(job.base / "model")
    assert model.schema.task == "regression"
    assert 15 < model.predict({"wind": [4.0]})[0] < 25


def test_the_same_rows_give_the_same_bytes(job: Job) -> None:
    deliver(job)
    graphs = []
    for _ in range(2):
        job.run("train")
        graphs.append((job.base / "model" / "model.onnx").read_bytes())
    assert graphs[0] == graphs[1]


def test_a_value_next_to_the_threshold_of_a_tree_goes_the_same_way_in_onnx() -> None:
    """0.985 lies between 0.982 and 0.988, which were learned from: nearer to their middle than 32 bits can tell."""
    schema = Schema.of("regression", "y", "t", {"x": "number"})
    x = pd.DataFrame({"x": np.repeat(np.array([0.982, 0.988], dtype=np.float32), 50)})
    fitted = pipeline("regression", {"x": "number"}).set_params(
        histgradientboostingregressor__early_stopping=False
    )
    fitted.fit(x, np.repeat([0.0, 1.0], 50))
    round_down(fitted)
    between = pd.DataFrame({"x": np.array([0.985], dtype=np.float32)})
    model = Model(to_onnx(schema, fitted), schema)
    assert model.predict(between) == pytest.approx(fitted.predict(between), abs=1e-4)


def test_onnx_that_answers_otherwise_than_scikit_learn_is_refused() -> None:
    expected = np.full(1000, 0.5)
    got = expected.copy()
    got[0] += 0.01
    check_parity(got, expected)
    got[:2] += 0.01
    with pytest.raises(
        Refused, match=r"0\.20% of the training rows differ by more than 0\.0001, allowed are 0\.1%"
    ):
        check_parity(got, expected)


def raises() -> Any:
    raise RuntimeError("no licence")


class Undecided:
    """Answers NaN."""

    def fit(self, rows: object, targets: object) -> Undecided:
        return self

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        return np.full((len(rows), 2), np.nan)


def without_imputer() -> Any:
    return make_pipeline(estimator()[0].set_params(simpleimputer="passthrough"), LogisticRegression())


@pytest.mark.parametrize(
    "model, reason",
    [
        (model_py(estimator=None), "model.py lacks the function estimator()"),
        (model_py(estimator=raises), "model.py: estimator() raised RuntimeError: no licence"),
        (model_py(TARGET=None), "model.py lacks TARGET"),
        (model_py(TASK="ranking"), "TASK is 'ranking', allowed are binary, multiclass, regression"),
        (model_py(FEATURES={}), "FEATURES is empty"),
        (model_py(FEATURES={"heat": "float"}), "FEATURES['heat'] is 'float', allowed are number, category"),
        (model_py(FEATURES={"late": "number"}), "FEATURES names 'late', which is TARGET or TIME"),
        (model_py(estimator=without_imputer), "model.py: fitting estimator() raised ValueError: "),
        (model_py(estimator=lambda: estimator(LinearSVC())), "estimator() has no predict_proba"),
        (model_py(estimator=Undecided), "960 values that are not finite"),
    ],
)
def test_a_model_py_that_cannot_work_is_told_what_is_wrong_with_it(job: Job, model: Any, reason: str) -> None:
    job.use(model)
    deliver(job)
    assert job.run("train") == 1
    assert reason in job.reason("failure")
    assert not (job.base / "model" / "model.onnx").exists()


class Unknown(LogisticRegression):  # type: ignore[misc]
    """A classifier that no converter knows."""


def test_a_model_that_onnx_cannot_hold_is_refused(job: Job) -> None:
    job.use(model_py(estimator=lambda: estimator(Unknown())))
    deliver(job)
    assert job.run("train") == 1
    assert "estimator() cannot be written as ONNX" in job.reason("failure")


def test_a_channel_without_files_is_refused(job: Job) -> None:
    assert job.run("train") == 1
    assert "channel 'train' holds no csv.gz file" in job.reason("failure")


def test_a_reason_is_cut_to_what_sagemaker_keeps(job: Job) -> None:
    def verbose() -> Any:
        raise RuntimeError("x" * 5000)

    job.use(model_py(estimator=verbose))
    deliver(job)
    assert job.run("train") == 1
    assert len(job.reason("failure")) == 1024


def test_an_unknown_command_is_refused_with_the_known_ones(
    job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.run("tune") == 2
    assert "expected one of: prepare, train, evaluate, serve" in capsys.readouterr().err
