"""The test on scores and on signals whose truth is known; whole traffic is measured by `make bench NAME=drift`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.drift import evidence as evidences
from domain.drift.counts import Counts
from domain.drift.detector import Detector, TooYoungError, fit
from domain.drift.evidence import Evidence, betting, update
from domain.drift.scores import long_run_variance, normal_scores, own_scores
from domain.drift.signals import FEATURE, LOSS, Signal
from domain.drift.windows import Window, windows

SIGNALS = (
    Signal("location of a", "a", FEATURE),
    Signal("location of b", "b", FEATURE),
    Signal("loss", LOSS, LOSS, True),
)
NONE = np.zeros((0, 0), np.int64)
HOURS = 28 * 24


def hours(first: int, number: int, rows: int = 1000) -> list[Window]:
    return list(windows((hour, Counts(rows, NONE, (), NONE)) for hour in range(first, first + number)))


def season_of(window: Window) -> float:
    return np.sin(window.first % 24) + 3 * (window.first // 24 % 7 == 2)


def noise(seed: int, number: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(number, 3)) / 10


@pytest.fixture(scope="module")
def reference() -> tuple[list[Window], np.ndarray]:
    seen = hours(0, HOURS)
    return seen, noise(1, HOURS) + np.array([[season_of(window), 0.5, 0.2] for window in seen])


@pytest.fixture(scope="module")
def detector(reference) -> Detector:
    return fit(SIGNALS, *reference, window_hours=1, false_alarms_per_year=1)


def play(detector: Detector, values: np.ndarray, first: int = HOURS, rows: int = 1000):
    evidence = detector.begin()
    for number, row in enumerate(detector.scores(hours(first, len(values), rows), values)):
        evidence, answer = detector.ask(evidence, row, number)
        yield answer


def usual(number: int, seed: int = 2) -> np.ndarray:
    seen = hours(HOURS, number)
    return noise(seed, number) + np.array([[season_of(window), 0.5, 0.2] for window in seen])


def test_a_season_that_goes_on_is_no_drift(detector) -> None:
    assert not any(answer.alarm for answer in play(detector, usual(60 * 24)))


def test_a_shift_alarms_and_names_the_feature_that_carries_it_and_since_when(detector) -> None:
    values = usual(200)
    values[100:, 1] += 0.2
    found = list(play(detector, values))
    at = next(number for number, answer in enumerate(found) if answer.alarm)
    assert 100 < at < 110
    carrier = found[at].carriers[0]
    assert carrier.signal.feature == "b"
    assert carrier.share > 0.9
    assert 98 <= carrier.since <= 101


def test_the_loss_alarms_when_it_rises_and_not_when_it_falls(detector) -> None:
    better, worse = usual(100), usual(100)
    better[:, 2] -= 0.3
    worse[:, 2] += 0.3
    assert not any(answer.alarm for answer in play(detector, better))
    assert any(answer.alarm for answer in play(detector, worse))


def test_windows_without_labels_leave_the_evidence_of_the_loss_as_it_is(detector) -> None:
    values = usual(50)
    values[:, 2] = np.nan
    before = update(detector.begin(), detector.bets, np.array([0.0, 0.0, 3.0]), 0)
    after = before
    for number, row in enumerate(detector.scores(hours(HOURS, 50), values)):
        after, _ = detector.ask(after, row, number)
    assert after.amount[2].tolist() == before.amount[2].tolist()


def test_half_the_rows_make_a_window_noisier_and_not_suspect(detector) -> None:
    values = usual(24 * 60)
    middle = values - noise(2, len(values))
    assert not any(answer.alarm for answer in play(detector, middle + 2 * noise(2, len(values)), rows=250))


def test_the_rounding_of_a_constant_column_is_no_signal(reference) -> None:
    seen, values = reference
    constant = values.copy()
    constant[:, 0] = 1 / 3 + 1e-16 * np.arange(len(values))
    judge = fit(SIGNALS, seen, constant, window_hours=1, false_alarms_per_year=1)
    after = usual(24 * 60)
    after[:, 0] = 1 / 3 + 5e-16
    assert np.abs(judge.scores(hours(HOURS, len(after)), after)[:, 0]).max() < 1e-9
    assert not any(answer.alarm for answer in play(judge, after))


def test_four_weeks_are_needed_before_anything_alarms(reference) -> None:
    seen, values = reference
    with pytest.raises(TooYoungError, match="over 27 days"):
        fit(SIGNALS, seen[: 27 * 24], values[: 27 * 24], window_hours=1, false_alarms_per_year=1)


def test_four_weeks_that_began_with_a_silent_hour_are_four_weeks(reference) -> None:
    seen, values = reference
    assert fit(SIGNALS, seen[3:], values[3:], window_hours=1, false_alarms_per_year=1).signals == SIGNALS


def test_a_signal_that_the_reference_does_not_know_says_nothing(reference) -> None:
    seen, values = reference
    unlabelled = values.copy()
    unlabelled[:, 2] = np.nan
    judge = fit(SIGNALS, seen, unlabelled, window_hours=1, false_alarms_per_year=1)
    assert [signal.name for signal in judge.signals] == ["location of a", "location of b"]
    assert judge.bets.weights.sum() == pytest.approx(1)


def test_twice_the_stated_rate_is_half_the_threshold(reference) -> None:
    once, twice = (
        fit(SIGNALS, *reference, window_hours=1, false_alarms_per_year=n).threshold for n in (1, 2)
    )
    assert once == pytest.approx(2 * twice) == pytest.approx(8766)


def test_on_independent_normal_scores_the_mean_evidence_is_the_number_of_windows() -> None:
    """What the promise rests on: evidence less the number of windows is a martingale, for any number of signals."""
    bets = betting(np.ones(5), np.zeros(5, bool), np.zeros(5), np.ones(5))
    random, runs, steps = np.random.default_rng(0), 40_000, 2
    found = []
    for z in random.normal(size=(runs // 10, steps, 5)):
        evidence = Evidence.none(5)
        for number, row in enumerate(z):
            evidence = update(evidence, bets, row, number)
        found.append(float(evidences.by_signal(evidence, bets)[0] * 5))
    assert np.mean(found) == pytest.approx(steps, rel=0.5)


@given(st.permutations(range(40)), st.integers(1, 40))
def test_the_scores_of_a_pool_do_not_depend_on_its_order(order, size) -> None:
    pool = np.array(order[:size], float)
    scores = own_scores(pool)
    assert np.allclose(scores[np.argsort(pool)], np.sort(scores))
    assert abs(scores.mean()) < 1e-9


def test_no_score_says_more_than_the_size_of_its_pool_allows() -> None:
    pool = np.arange(99.0)
    highest = normal_scores(pool, np.array([1e9]))[0]
    assert highest == pytest.approx(2.5758, abs=1e-3)  # the normal quantile of 1 - 1/200


def test_autocorrelation_makes_the_long_run_variance_larger() -> None:
    random = np.random.default_rng(0)
    white = random.normal(size=2000)
    slow = white.copy()
    for i in range(1, len(slow)):
        slow[i] = 0.8 * slow[i - 1] + 0.6 * white[i]
    assert long_run_variance(white, 48) < 1.5
    assert 6 < long_run_variance(slow, 48) < 20  # of an AR(1) with 0.8 it is 9
