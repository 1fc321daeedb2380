"""What the drift benchmark stands on: days are days, shuffles keep the week, and the written-out rules are right."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.streams import loss_days
from benchmarks.streams.replay import shuffled
from benchmarks.streams.rules import _chi2, _ks, adwin
from benchmarks.streams.series import Table, read


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_time_that_starts_over_is_the_time_of_a_day(tmp_path: Path) -> None:
    lines = [f"{half / 48},{day + half}" for day in range(30) for half in range(48)]
    table = read(write(tmp_path / "a.csv", ["period,x", *lines]), "period")
    assert [len(day) for day in table.days] == [48] * 30


def test_dates_are_cut_at_midnight_and_days_of_few_rows_are_left_out(tmp_path: Path) -> None:
    days = [*[f"2024-03-01T{hour:02d}:30:00Z,{hour}" for hour in range(24)], "2024-03-02T00:00:00Z,5"]
    table = read(write(tmp_path / "a.csv", ["at,x", *days]), "at")
    assert [day.tolist() for day in table.days] == [list(range(24))]


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'when', there are at, x"):
        read(write(tmp_path / "a.csv", ["at,x", "2024-03-01,1"]), "when")


def test_a_shuffled_day_stays_on_its_day_of_the_week() -> None:
    table = Table("t", {}, {}, None, [np.array([day]) for day in range(100)])
    order = shuffled(table, 3)
    assert sorted(order) == list(range(100)) != order
    assert all((day - place) % 7 == 0 for place, day in enumerate(order))


@pytest.mark.parametrize("distance", [0.02, 0.05, 0.1])
def test_the_p_value_of_ks_is_scipys(distance: float) -> None:
    exact = stats.kstwo.sf(distance, 1000 * 20_000 // 21_000)
    assert _ks(distance, 1000, 20_000) == pytest.approx(exact, abs=0.01)


def test_the_p_value_of_two_mixes_is_scipys() -> None:
    training, window = np.array([500, 300, 150, 50]), np.array([45, 40, 11, 9])
    exact = stats.chi2_contingency(np.stack([training, window]), correction=False).pvalue
    assert _chi2(training, window) == pytest.approx(exact, abs=0.01)


def test_adwin_sees_a_step_and_not_the_noise_before_it() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.02, 600)
    values[300:] += 0.3
    found = np.flatnonzero(adwin(values))
    assert 300 <= found[0] < 360


def test_days_on_which_the_loss_does_not_change_alarm_no_more_often_than_stated() -> None:
    assert loss_days.false_alarms_a_year("weekly", 2) <= 1


def test_a_simulated_memory_from_day_to_day_is_there() -> None:
    found = loss_days.series("ar 0.8", 2000, np.random.default_rng(0))
    assert 0.7 < np.corrcoef(found[1:], found[:-1])[0, 1] < 0.9
