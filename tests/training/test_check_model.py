"""What `make check-model` tells the author of a model.py, before anything is built or trained."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from config.schema import ROOT
from tests.training.job import Job, estimator, model_py, regression_model_py


class Raises(LogisticRegression):
    def fit(self, *_: Any) -> Any:
        raise ZeroDivisionError("a row a second time")


class OneColumn(LogisticRegression):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X)[:, 1]


class NotANumber(LogisticRegression):
    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X) * np.nan


def boom() -> None:
    raise RuntimeError("no such column")


BROKEN = {
    "the function raises": (model_py(estimator=boom), "estimator() raised RuntimeError: no such column"),
    "fitting raises": (
        model_py(estimator=lambda: estimator(Raises())),
        "estimator() raised ZeroDivisionError",
    ),
    "a function is missing": (model_py(estimator=None), "lacks the function estimator()"),
    "the shape is wrong": (
        model_py(estimator=lambda: estimator(OneColumn())),
        "estimator() answered (1000,), expected two columns",
    ),
    "the answer is not a number": (
        model_py(estimator=lambda: estimator(NotANumber())),
        "1000 values that are not finite",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_model_is_refused_and_the_function_is_named(
    job: Job, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model, told = BROKEN[kind]
    job.use(model)
    assert job.run("check_model") == 1
    error = capsys.readouterr().err
    assert told in error
    assert "estimator()" in error


@pytest.mark.parametrize("model", [model_py(), regression_model_py()], ids=["binary", "regression"])
def test_a_model_that_keeps_its_contract_passes(
    job: Job, model: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    job.use(model)
    assert job.run("check_model") == 0
    assert "keeps its contract" in capsys.readouterr().out


def test_the_make_target_and_the_pipeline_run_this_very_check() -> None:
    assert "$(PY) -m training check_model" in (ROOT / "Makefile").read_text()
