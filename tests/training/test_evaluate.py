from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from config.schema import ROOT
from domain.archive import Digest
from domain.drift.grid import MISSING
from domain.drift.profile import Profile
from tests.training.job import Job, Row, estimator, model_py, packed, regression_model_py, rows_of
from training.artefact import Model


def ignorant() -> Any:
    """Says nearly the base rate, whatever it is asked."""
    return estimator(LogisticRegression(C=1e-9))


def with_champion(job: Job, rows: list[Row] | None = None, **changes: Any) -> None:
    """Train a champion from a changed model.py, and go back to the ordinary one."""
    job.use(model_py(**changes))
    job.trained(rows)
    job.archive_to("processing", "plan", "champion.tar.gz")
    job.use(model_py())


def report_of(job: Job) -> dict[str, Any]:
    assert job.run("evaluate") == 0
    report: dict[str, Any] = job.json("report", "report.json")
    return report


def test_the_first_model_is_judged_against_the_base_rate(job: Job) -> None:
    job.trained()
    report = report_of(job)
    assert (report["rows"], report["days"]) == (560, 14)
    assert report["gate"]["passed"] is True
    assert report["gate"]["rule"] == "beats-base-rate"
    assert report["loss"]["champion"] is None
    assert report["loss"]["challenger"] < report["loss"]["base_rate"]
    assert report["heldout_loss"] == report["loss"]["challenger"]
    assert report["plan"] == {"run_id": "r1"}


def test_the_base_rate_is_that_of_the_training_days(job: Job) -> None:
    rows = rows_of()
    for row in rows[400:]:
        row["late"] = "1"
    job.trained(rows)
    training_rate = sum(row["late"] == "1" for row in rows[:400]) / 400
    assert report_of(job)["loss"]["base_rate"] == pytest.approx((1 - training_rate) ** 2)


def test_a_better_challenger_replaces_the_champion(job: Job) -> None:
    with_champion(job, estimator=ignorant)
    job.trained()
    report = report_of(job)
    assert report["gate"]["passed"] is True
    assert report["gate"]["upper_bound"] < 0
    assert report["loss"]["champion"] == pytest.approx(report["loss"]["base_rate"], rel=1e-3)


def test_a_worse_challenger_does_not_and_the_step_still_succeeds(job: Job) -> None:
    with_champion(job)
    job.use(model_py(estimator=ignorant))
    job.trained()
    report = report_of(job)
    assert report["gate"]["passed"] is False
    assert report["gate"]["relative_difference"] > 0.02


def test_the_margin_comes_from_the_environment_and_is_in_the_report(job: Job) -> None:
    with_champion(job)
    job.use(model_py(estimator=ignorant))
    job.trained()
    job.monkeypatch.setenv("GATE_MARGIN", "0.9")
    report = report_of(job)
    assert report["gate"]["passed"] is True
    assert report["gate"]["margin"] == 0.9


@pytest.mark.parametrize("margin", ["-0.1", "1", "nan", "two percent"])
def test_a_margin_that_is_no_share_is_refused(job: Job, margin: str) -> None:
    job.monkeypatch.setenv("GATE_MARGIN", margin)
    assert job.run("evaluate") == 1
    assert job.reason("message") == f"GATE_MARGIN is {margin!r}, expected a share from 0 to 1, as 0.02"


GUSTY = {"place": "category", "heat": "number", "wind": "number", "gust": "number"}


def test_a_champion_with_a_feature_more_is_judged_on_it_while_the_snapshot_has_it(job: Job) -> None:
    rows = [row | {"gust": row["wind"]} for row in rows_of()]
    with_champion(job, rows, FEATURES=GUSTY, estimator=lambda: estimator(numbers=("heat", "gust")))
    job.trained(rows)
    report = report_of(job)
    assert report["no_champion"] is None
    assert report["gate"]["rule"] == "tie"  # a gust is the wind here


def test_a_champion_whose_feature_is_gone_cannot_be_compared_with(job: Job) -> None:
    rows = [row | {"gust": row["wind"]} for row in rows_of()]
    with_champion(job, rows, FEATURES=GUSTY, estimator=lambda: estimator(numbers=("heat", "gust")))
    job.trained()
    assert report_of(job)["no_champion"] == "the champion needs gust, which the snapshot no longer has"


@pytest.mark.parametrize(
    "champion, reason",
    [
        (regression_model_py(), "the champion answers regression heat, not binary late"),
        (model_py(TARGET="wet"), "the champion answers binary wet, not binary late"),
    ],
)
def test_a_champion_that_answers_another_question_is_no_champion(
    job: Job, champion: Any, reason: str
) -> None:
    job.use(champion)
    rows = [row | {"wet": row["late"]} for row in rows_of()]
    job.file("input", "data", "train", "train.csv.gz").write_bytes(packed(rows, tuple(rows[0])))
    assert job.run("train") == 0
    job.archive_to("processing", "plan", "champion.tar.gz")
    job.use(model_py())
    job.trained()
    report = report_of(job)
    assert report["no_champion"] == reason
    assert report["gate"]["rule"] == "beats-base-rate"


def test_quality_is_reported_in_the_registrys_format(job: Job) -> None:
    job.trained()
    metrics = report_of(job)["binary_classification_metrics"]
    cells = [metrics["confusion_matrix"][truth][said] for truth in "01" for said in "01"]
    assert sum(cells) == 560
    assert metrics["accuracy"]["value"] == (cells[0] + cells[3]) / 560
    assert 0.7 < metrics["auc"]["value"] < 1
    assert 0 < metrics["auc"]["standard_deviation"] < 0.1


def test_a_slice_for_which_the_challenger_is_worse_refuses_it(job: Job) -> None:
    job.monkeypatch.setenv("GATE_SLICES", "place")
    job.monkeypatch.setenv("GATE_MARGIN", "0.9")
    with_champion(job)
    rows = [row | {"heat": row["heat"] if row["place"] == "north" else "1.0"} for row in rows_of()]
    job.trained(rows)
    report = report_of(job)
    assert [(one["value"], one["rows"] > 100) for one in report["slices"]] == [
        ("north", True),
        ("south", True),
    ]
    job.archive_to("processing", "model", "model.tar.gz")
    blind = estimator(LogisticRegression(), numbers=("wind",))
    job.use(model_py(estimator=lambda: blind))
    job.trained()
    report = report_of(job)
    assert (report["gate"]["passed"], report["gate"]["rule"]) == (False, "slice")
    assert "place 'north': loss" in report["gate"]["reason"]


def test_a_slice_or_a_facet_that_is_no_column_is_refused_by_name(job: Job) -> None:
    job.trained()
    job.monkeypatch.setenv("GATE_SLICES", "planet")
    assert job.run("evaluate") == 1
    assert job.reason("message").startswith("gate.slices names 'planet', allowed are the table's: at, place")
    job.monkeypatch.setenv("GATE_SLICES", "")
    job.monkeypatch.setenv("BIAS_FACETS", '[{"column": "planet", "values": ["Mars"]}]')
    assert job.run("evaluate") == 1
    assert job.reason("message").startswith("bias.facets names 'planet', allowed are the table's")


def test_bias_is_measured_before_and_after_training_in_clarifys_format(job: Job) -> None:
    facets = [{"column": "place", "values": ["south"]}, {"column": "heat", "above": 20}]
    job.monkeypatch.setenv("BIAS_FACETS", json.dumps(facets))
    job.monkeypatch.setenv("BIAS_GROUP", "place")
    job.trained()
    assert report_of(job)["gate"]["passed"]
    found = job.json("report", "bias.json")
    before, after = found["pre_training_bias_metrics"], found["post_training_bias_metrics"]
    assert (before["label"], before["label_value_or_threshold"]) == ("late", "1")
    [hot] = before["facets"]["heat"]
    assert hot["value_or_threshold"] == "(20, inf)"
    values = {one["name"]: one["value"] for one in hot["metrics"]}
    rows = [row for row in rows_of()[:400]]
    of = {
        hot: [row["late"] == "1" for row in rows if (float(row["heat"]) > 20) is hot] for hot in (True, False)
    }
    assert values["CI"] == pytest.approx((len(of[False]) - len(of[True])) / 400)
    assert values["DPL"] == pytest.approx(sum(of[False]) / len(of[False]) - sum(of[True]) / len(of[True]))
    [south] = after["facets"]["place"]
    assert [one["name"] for one in south["metrics"]][:2] == ["DPPL", "DI"]


def test_a_model_beyond_a_limit_of_bias_is_refused_with_the_metric(job: Job) -> None:
    job.monkeypatch.setenv("BIAS_FACETS", '[{"column": "heat", "above": 20}]')
    job.monkeypatch.setenv("BIAS_LIMITS", '{"DPPL": 0.2}')
    job.trained()
    gate = report_of(job)["gate"]
    assert (gate["passed"], gate["rule"]) == (False, "bias")
    assert "but DPPL of heat (20, inf) is -0." in gate["reason"]
    job.monkeypatch.setenv("BIAS_LIMITS", '{"FAIRNESS": 0.2}')
    assert job.run("evaluate") == 1
    assert job.reason("message").startswith("bias.limits names 'FAIRNESS', allowed are CI, DPL")


def test_the_threshold_follows_the_costs_or_f_beta_and_the_report_says_why(job: Job) -> None:
    job.trained()
    assert report_of(job)["threshold"]["value"] == 0.5
    job.monkeypatch.setenv("MISS_COST", "9")
    few = report_of(job)
    assert few["threshold"] == {"value": 0.1, "rule": "cost", "reason": "a miss costs 9, a false alarm 1"}
    assert few["binary_classification_metrics"]["recall"]["value"] > 0.9
    job.monkeypatch.setenv("F_BETA", "1")
    assert report_of(job)["threshold"]["rule"] == "f-beta"


def test_a_model_that_answers_no_number_is_refused(job: Job) -> None:
    job.use(regression_model_py())
    job.trained()
    job.monkeypatch.setattr(Model, "predict", lambda self, columns: np.full(560, np.nan))
    assert job.run("evaluate") == 1
    assert job.reason("message").startswith("a model answered 560 of 560 held-out rows with no finite number")


def test_evaluate_starts_without_scikit_learn(tmp_path: Path) -> None:
    """Its import alone takes longer than all that is measured."""
    code = "import sys, training.evaluate; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_the_auc_of_one_class_is_null_and_stops_nothing(job: Job) -> None:
    rows = rows_of()
    for row in rows[400:]:
        row["late"] = "0"
    job.trained(rows)
    assert report_of(job)["binary_classification_metrics"]["auc"]["value"] is None


def test_a_regression_is_judged_by_its_squared_error(job: Job) -> None:
    job.use(regression_model_py())
    job.trained()
    report = report_of(job)
    assert report["regression_metrics"]["mse"]["value"] == pytest.approx(report["heldout_loss"])


def test_the_profile_describes_the_training_rows_on_the_models_columns(job: Job) -> None:
    job.trained()
    job.run("evaluate")
    profile = Profile.from_json((job.processing / "report" / "profile.json").read_bytes())
    assert profile is not None
    assert profile.columns == ("place", "heat", "wind")
    counts = profile.training.counts
    assert (counts.rows, len(profile.days), sum(day.rows for day in profile.days)) == (400, 10, 400)
    heat, wind, answers = counts.numbers
    assert (int(wind[MISSING]), int(heat[MISSING]), int(answers[MISSING])) == (40, 0, 0)
    assert profile.usual["wind", "missing"] == pytest.approx(0.1)
    assert ("place", "unseen") not in profile.usual


def test_the_report_names_the_artefact_that_was_judged_to_the_byte(job: Job) -> None:
    job.trained()
    job.run("evaluate")
    report = json.loads((job.processing / "report" / "report.json").read_text())
    archive = (job.processing / "model" / "model.tar.gz").read_bytes()
    assert report["artefact"]["archive"] == Digest.of(archive).text()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        held = {one.name.removeprefix("./"): tar.extractfile(one) for one in tar if one.isfile()}
        read = {name: Digest.of(file.read()).text() for name, file in held.items() if file}
    assert report["artefact"]["files"] == read
    for name, sha256 in report["evidence"].items():
        assert sha256 == Digest.of((job.processing / "report" / name).read_bytes()).sha256


def test_an_archive_that_train_did_not_write_stops_the_step(job: Job) -> None:
    job.trained()
    (job.processing / "model" / "model.tar.gz").write_bytes(b"no archive")
    assert job.run("evaluate") == 1
    assert "model.tar.gz is no intact .tar.gz" in job.reason("message")


def test_a_missing_plan_stops_the_step_with_its_name(job: Job) -> None:
    job.trained()
    shutil.rmtree(job.processing / "plan")
    assert job.run("evaluate") == 1
    assert "plan.json" in job.reason("message")


def html_of(job: Job) -> str:
    return (job.processing / "report" / "report.html").read_text()


def test_whoever_approves_gets_one_page_with_plots_that_loads_nothing(job: Job) -> None:
    job.monkeypatch.setenv("GATE_SLICES", "place")
    job.monkeypatch.setenv("BIAS_FACETS", '[{"column": "place", "values": ["south"]}]')
    with_champion(job, estimator=ignorant)
    job.trained()
    report, page = report_of(job), html_of(job)
    assert "passed the gate" in page
    assert f"{report['binary_classification_metrics']['auc']['value']:.4f}" in page
    assert page.count("<svg") == 4
    for told in ("south", "DPPL", "leakage: heat alone", "a miss costs 1", "r1", "champion"):
        assert told in page, told
    assert not re.search(r"https?:|<script|src=|@import", page)


def test_the_page_of_a_regression_has_its_own_metrics_and_no_roc(job: Job) -> None:
    job.use(regression_model_py())
    job.trained()
    report_of(job)
    page = html_of(job)
    assert "explained_variance" in page
    assert page.count("<svg") == 1


def test_a_name_from_the_table_is_text_on_the_page(job: Job) -> None:
    rows = [row | {"place": "<script>alert(1)</script>"} for row in rows_of()]
    job.monkeypatch.setenv("GATE_SLICES", "place")
    job.trained(rows)
    report_of(job)
    assert "&lt;script&gt;alert(1)" in html_of(job)
    assert "<script>" not in html_of(job)


def test_the_same_rows_give_the_same_page(job: Job) -> None:
    job.trained()
    report_of(job)
    first = html_of(job)
    report_of(job)
    assert html_of(job) == first


def test_what_the_model_looks_at_is_told_and_noise_is_not(job: Job) -> None:
    job.trained()
    found = {one["feature"]: one["loss_increase"] for one in report_of(job)["importance"]}
    assert next(iter(found)) == "heat"
    assert found["heat"] > 0.3
    assert abs(found["place"]) < 0.05
    assert abs(found["wind"]) < 0.05
    assert "What it looks at" in html_of(job)
