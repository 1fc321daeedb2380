"""The profile of a model: what goes into its package comes out of it, and the days are its reference."""

import json

import numpy as np
import pytest

from domain.drift.grid import MISSING
from domain.drift.profile import DaySignals, Profile
from domain.drift.rows import batch
from domain.drift.traffic_watch import TrafficWatch
from tests.lambdas.traffic import profile


@pytest.fixture(scope="module")
def made() -> Profile:
    found = Profile.from_json(profile())
    assert found is not None
    return found


def test_a_profile_survives_json_unchanged_and_holds_no_row(made: Profile) -> None:
    assert made.to_json() == profile()
    assert made.training.counts.rows == 4200
    assert [len(day.values) for day in made.days] == [len(made.training.names)] * 42


def test_a_profile_of_another_format_is_none_to_hold_anything_against(made: Profile) -> None:
    assert Profile.from_json(json.dumps({"format": 1, "rows": 9, "features": []})) is None


def test_rows_of_text_and_an_answer_of_nobody_fall_into_cells(made: Profile) -> None:
    cells = batch(made.training.grids, {"hour": ["7", ""], "origin": ["JFK", "new"]}, np.array([0.5, np.nan]))
    assert cells.numbers[1, 0] == cells.predictions[1] == MISSING
    assert cells.categories[0].tolist() == [made.training.grids.categories["origin"].cell("JFK"), 3]


def test_the_days_of_training_played_again_are_no_evidence(made: Profile) -> None:
    again = TrafficWatch(made, 100, 1.0).evidence(made.days)
    assert max(one.level for one in again) < 0.5


def test_a_day_of_few_rows_is_no_window_and_a_lower_rate_has_a_higher_threshold(made: Profile) -> None:
    days = [DaySignals("2013-04-01", 99, made.days[0].values)]
    yearly, rarely = (TrafficWatch(made, 100, rate).evidence(days)[0] for rate in (1.0, 0.5))
    assert (yearly.windows, yearly.level) == (0, 0)
    assert yearly.threshold is not None
    assert 2 * 365 < yearly.threshold < 2 * 380
    assert rarely.threshold == pytest.approx(2 * yearly.threshold)
