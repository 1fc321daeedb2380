from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from domain.profile import Profile
from tests.training.job import Job, Row, estimator, model_py, packed, regression_model_py, rows_of
from training import artefact
from training.artefact import read_archive
from training.errors import Refused


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
    assert report["plan"] == {"run": "r1"}


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
    assert report["gate"]["rule"] == "non-inferior"


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
    assert metrics["auc"]["standard_deviation"] == "NaN"


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
    assert list(profile.grids) == ["place", "heat", "wind"]
    assert profile.reference.rows == 400
    assert profile.reference.cells["wind"][-1] == 40


def archive(directory: Path, members: dict[str, tarfile.TarInfo]) -> Path:
    file = directory / "model.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        for name, member in members.items():
            member.name = name
            tar.addfile(member, io.BytesIO(b"\0" * member.size))
    return file


def plain(size: int = 3) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.size = size
    return info


def link() -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    "members, reason",
    [
        ({"model.onnx": plain()}, "lacks schema.json"),
        ({"model.onnx": plain(), "schema.json": plain(), "evil.py": plain()}, "holds 'evil.py'"),
        ({"../model.onnx": plain()}, "holds '../model.onnx'"),
        ({"/model.onnx": plain()}, "holds '/model.onnx'"),
        ({"model.onnx": link()}, "holds 'model.onnx'"),
        ({"model.onnx": plain(), "./model.onnx": plain()}, "holds './model.onnx'"),
        ({"model.onnx": plain(11)}, "model.onnx has 11 bytes, allowed are 10"),
    ],
)
def test_an_archive_that_train_did_not_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: dict[str, tarfile.TarInfo], reason: str
) -> None:
    monkeypatch.setattr(artefact, "MAX_BYTES", 10)
    with pytest.raises(Refused, match=reason.replace(".", r"\.")):
        read_archive(archive(tmp_path, members))


def test_an_archive_may_list_its_files_with_or_without_the_directory(tmp_path: Path) -> None:
    bare = archive(tmp_path, {"model.onnx": plain(), "schema.json": plain()})
    assert set(read_archive(bare)) == {"model.onnx", "schema.json"}


def test_a_missing_plan_stops_the_step_with_its_name(job: Job) -> None:
    job.trained()
    shutil.rmtree(job.processing / "plan")
    assert job.run("evaluate") == 1
    assert "plan.json" in job.reason("message")
