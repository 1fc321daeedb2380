from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from domain.loss import LossDay, mean_loss
from tests.training.job import Job, estimator, model_py, rows_of
from training import reference, tables, user


def learned_by_heart() -> object:
    """Knows each row that it has seen, and errs on the others."""
    return estimator(KNeighborsClassifier(n_neighbors=1))


def split(days: int = 24) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first days, and the last 14."""
    table = pd.DataFrame(rows_of(days))
    first = sorted(table["at"].str[:10].unique())[-14]
    return table[table["at"] < first], table[table["at"] >= first]


def made(
    job: Job, days: int = 24, **changes: object
) -> tuple[reference.Reference, pd.DataFrame, pd.DataFrame]:
    job.use(model_py(**changes))
    train, test = split(days)
    return reference.reference(user.schema(), train, test, np.full(len(test), 0.25)), train, test


def counted(table: pd.DataFrame) -> dict[str, int]:
    return {str(day): int(rows) for day, rows in table["at"].str[:10].value_counts().items()}


def test_every_day_of_training_is_in_the_reference_with_all_its_rows_and_no_held_out_one(job: Job) -> None:
    found, train, _ = made(job, days=42)
    assert {day.day: day.rows for day in found.days} == counted(train)
    assert (len(found.days), found.without) == (28, "")


def test_where_the_days_of_training_are_too_few_the_held_out_ones_join_them(job: Job) -> None:
    found, train, test = made(job, days=41)
    assert {day.day: day.rows for day in found.days} == counted(pd.concat([train, test]))


def test_the_held_out_days_are_what_the_model_itself_answered(job: Job) -> None:
    found, _, test = made(job)
    of_day = test[test["at"].str.startswith("2013-01-24")]
    loss = mean_loss("binary", [0.25] * len(of_day), tables.targets(of_day, user.schema()).tolist())
    assert found.days[-1] == LossDay("2013-01-24", 40, round(40e6 * loss), 40 * 187_500)


def test_no_day_of_training_is_answered_by_a_model_that_has_seen_it(job: Job) -> None:
    found, train, _ = made(job, estimator=learned_by_heart)
    first = [day for day in found.days if day.day < "2013-01-11"]
    loss = sum(day.micro_loss for day in first) / len(train) / 1e6
    assert loss > 0.2


def test_a_fold_that_cannot_be_fitted_leaves_the_held_out_days_and_says_why(job: Job) -> None:
    class NeedsAll(LogisticRegression):
        def fit(self, rows, targets):
            if len(targets) < 400:
                raise ValueError("fewer rows than I need")
            return super().fit(rows, targets)

    found, _, test = made(job, estimator=lambda: estimator(NeedsAll()))
    assert [day.day for day in found.days] == sorted(set(test["at"].str[:10]))
    assert "fewer rows than I need" in found.without


def test_the_same_rows_give_the_same_reference(job: Job) -> None:
    assert made(job)[0] == made(job)[0]


def test_the_report_of_a_model_that_passed_brings_its_reference_along_and_no_other(job: Job) -> None:
    job.trained()
    assert job.run("evaluate") == 0
    report = job.json("report", "report.json")
    assert len(report["reference"]["days"]) == 24
    job.monkeypatch.setenv("GATE_MARGIN", "0")
    job.archive_to("processing", "plan", "champion.tar.gz")
    job.use(model_py(estimator=lambda: estimator(LogisticRegression(C=1e-9))))
    job.trained()
    assert job.run("evaluate") == 0
    assert "reference" not in job.json("report", "report.json")
