"""What is usual in a table, as the profile of a model says it."""

import numpy as np
import pandas as pd
import pytest

from domain.drift.profile import Profile
from tests.training.job import Job, model_py, rows_of
from training import user
from training.profile import profile


def made(job: Job, table: pd.DataFrame) -> Profile:
    job.use(model_py())
    last = table["at"] >= "2013-01-21"
    answers = np.linspace(0, 1, len(table))
    return profile(user.schema(), table[~last], table[last], answers[~last], answers[last])


def test_the_worst_day_of_training_or_of_the_held_out_ones_is_usual(job: Job) -> None:
    table = pd.DataFrame(rows_of())
    table.loc[table["at"].str.startswith("2013-01-03"), "heat"] = ""
    table.loc[table["at"].str.startswith("2013-01-23"), "place"] = "west"
    usual = made(job, table).usual
    assert usual["heat", "missing"] == 1
    assert usual["place", "unseen"] == 1
    assert usual["wind", "far out of range"] == 0


def test_a_value_that_only_one_day_of_training_had_counts_as_unseen_on_it(job: Job) -> None:
    table = pd.DataFrame(rows_of())
    of_day = table.index[table["at"].str.startswith("2013-01-05")]
    table.loc[of_day[:10], "place"] = "west"
    assert made(job, table).usual["place", "unseen"] == pytest.approx(10 / len(of_day))


def test_without_answers_of_models_without_the_day_there_are_no_signals_of_the_answers(job: Job) -> None:
    job.use(model_py())
    table = pd.DataFrame(rows_of())
    found = profile(user.schema(), table, table[:50], None, np.full(50, 0.5))
    named = dict(zip([one.name for one in found.training.names], found.days[0].values, strict=True))
    assert named["location of the prediction"] is None
    assert named["location of heat"] is not None
