"""Metrics against scikit-learn, which is not in the way of a job's start, and intervals against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from training.curves import calibration, curves
from training.metrics import model_quality
from training.resampling import described, draws, numbered

RNG = np.random.default_rng(3)
ROWS = 3000
DAYS = np.arange(ROWS) * 14 // ROWS
PROBABILITIES = np.round(RNG.beta(1, 6, ROWS), 2)  # with ties
LABELS = (RNG.uniform(size=ROWS) < PROBABILITIES).astype(float)
SAID = PROBABILITIES >= 0.3
TRUE_VALUES = 1e6 + RNG.normal(10, 3, ROWS)
GUESSES = TRUE_VALUES + RNG.normal(0.5, 1, ROWS)


def quality(
    task: str, predictions: Any, targets: Any, days: Any = DAYS, base_rate: float = 0.2
) -> dict[str, Any]:
    found = model_quality(task, predictions, targets, days, threshold=0.3, base_rate=base_rate, features=4)
    [kind] = set(found) - {"intervals"}
    values = {name: one["value"] for name, one in found[kind].items() if name != "confusion_matrix"}
    return {**values, "intervals": found["intervals"], "all": found[kind]}


BINARY = quality("binary", PROBABILITIES, LABELS)
REGRESSION = quality("regression", GUESSES, TRUE_VALUES)
LOG_LOSS = oracle.log_loss(LABELS, np.clip(PROBABILITIES, 1e-7, 1 - 1e-7))


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("auc", oracle.roc_auc_score(LABELS, PROBABILITIES)),
        ("au_prc", oracle.average_precision_score(LABELS, PROBABILITIES)),
        ("accuracy", oracle.accuracy_score(LABELS, SAID)),
        ("balanced_accuracy", oracle.balanced_accuracy_score(LABELS, SAID)),
        ("precision", oracle.precision_score(LABELS, SAID)),
        ("recall", oracle.recall_score(LABELS, SAID)),
        ("f0_5", oracle.fbeta_score(LABELS, SAID, beta=0.5)),
        ("f1", oracle.f1_score(LABELS, SAID)),
        ("f2", oracle.fbeta_score(LABELS, SAID, beta=2)),
        ("mcc", oracle.matthews_corrcoef(LABELS, SAID)),
        ("brier", oracle.brier_score_loss(LABELS, PROBABILITIES)),
        ("log_loss", LOG_LOSS),
        (
            "brier_skill",
            1
            - oracle.brier_score_loss(LABELS, PROBABILITIES)
            / oracle.brier_score_loss(LABELS, np.full(ROWS, 0.2)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_metric_of_probabilities_is_what_scikit_learn_says(name: str, theirs: float) -> None:
    assert BINARY[name] == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("mae", oracle.mean_absolute_error(TRUE_VALUES, GUESSES)),
        ("mse", oracle.mean_squared_error(TRUE_VALUES, GUESSES)),
        ("rmse", oracle.root_mean_squared_error(TRUE_VALUES, GUESSES)),
        ("r2", oracle.r2_score(TRUE_VALUES, GUESSES)),
        ("explained_variance", oracle.explained_variance_score(TRUE_VALUES, GUESSES)),
        ("adjusted_r2", 1 - (1 - oracle.r2_score(TRUE_VALUES, GUESSES)) * (ROWS - 1) / (ROWS - 5)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_metric_of_numbers_is_what_scikit_learn_says(name: str, theirs: float) -> None:
    assert REGRESSION[name] == pytest.approx(theirs, rel=1e-9)


def test_every_metric_lies_in_its_interval_and_has_a_deviation() -> None:
    for found in (BINARY, REGRESSION):
        assert {name for name, one in found["intervals"].items() if one is None} == set()
        for name, (low, high) in found["intervals"].items():
            assert low <= found[name] <= high, name
            assert found["all"][name]["standard_deviation"] > 0, name


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Days that differ in kind: of 60 months nearly all intervals of the Brier score hold the year's own."""
    held, rng = 0, np.random.default_rng(1)
    for _ in range(60):
        storms = rng.gamma(4, 0.25, 28)
        chance = np.clip(np.repeat(0.15 * storms, 40), 0, 1)
        labels = (rng.uniform(size=len(chance)) < chance).astype(float)
        days = np.repeat(np.arange(28), 40)
        low, high = quality("binary", np.full(len(chance), 0.15), labels, days, 0.15)["intervals"]["brier"]
        held += low <= 0.15 * 0.85 <= high
    assert 50 <= held <= 60


def test_one_rare_class_that_is_never_seen_reads_as_no_skill_however_right_the_answers_are() -> None:
    labels = np.zeros(ROWS)
    labels[:3] = 1
    blind = quality("binary", np.full(ROWS, 0.001), labels, base_rate=0.001)
    assert blind["accuracy"] == 0.999 == blind["accuracy_best_constant_classifier"]
    assert blind["brier_skill"] == 0
    assert blind["au_prc_skill"] == pytest.approx(0)
    assert blind["auc"] == 0.5
    assert blind["mcc"] is None
    assert blind["recall"] == 0


def test_a_metric_of_one_class_is_null_and_so_is_its_interval() -> None:
    alone = quality("binary", PROBABILITIES, np.zeros(ROWS))
    assert alone["auc"] is alone["au_prc"] is alone["recall"] is None
    assert alone["intervals"]["auc"] is None


def test_four_days_are_too_few_for_an_interval() -> None:
    few = quality("binary", PROBABILITIES, LABELS, np.arange(ROWS) % 4)
    assert set(few["intervals"].values()) == {None}
    assert few["all"]["auc"]["standard_deviation"] == "NaN"


def test_the_same_days_are_drawn_every_time() -> None:
    assert (draws(14, 50) == draws(14, 50)).all()
    assert draws(14, 50).sum(axis=1).tolist() == [14] * 51
    assert described(np.array([np.nan, 1.0, 2.0])) == (None, "NaN", None)
    assert numbered(["b", "a", "b"]).tolist() == [1, 0, 1]


def test_the_curves_go_from_nothing_to_everything_and_stay_short() -> None:
    found = curves(PROBABILITIES, LABELS)
    roc = found["receiver_operating_characteristic_curve"]
    fpr, tpr = roc["false_positive_rates"], roc["true_positive_rates"]
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert fpr == sorted(fpr)
    assert len(fpr) <= 102
    area = oracle.auc(fpr, tpr)
    assert area == pytest.approx(BINARY["auc"], abs=2e-3)
    assert found["precision_recall_curve"]["recalls"][-1] == 1
    assert curves(PROBABILITIES, np.zeros(ROWS))["precision_recall_curve"] == {
        "precisions": [],
        "recalls": [],
    }


def test_calibration_tells_a_model_that_exaggerates_from_one_that_does_not() -> None:
    honest, loud = calibration(PROBABILITIES, LABELS), calibration(np.minimum(1, PROBABILITIES * 2), LABELS)
    assert sum(group["rows"] for group in honest["groups"]) == ROWS
    assert honest["expected_calibration_error"] < 0.03
    assert loud["expected_calibration_error"] > 0.1
