from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.loss import LossDay
from domain.monitoring import (
    Carrier,
    Effect,
    LossEvidence,
    LossWindow,
    Traffic,
    TrafficEvidence,
    loss_days,
    loss_window,
    metrics,
    report,
)
from domain.names import METRIC_UNITS, Metric
from domain.snapshot import Part

LIVE, OLD = "arn:package/2", "arn:package/1"
EVIDENCE = LossEvidence(0.75, 80.0, 365.0, windows=9, reference_windows=59, since="2013-04-15")
EFFECTS = (Effect("origin", 0.4, 0.2, None), Effect("hour", 0.1, 0.05, 0.3))
CHANGED = (
    TrafficEvidence("features", 0.9, 732.0, 9, 59, (Carrier("hour", "location of hour", 0.8, "2013-04-16"),)),
    TrafficEvidence("predictions", 0.2, 732.0, 9, 59, ()),
)
TRAFFIC = Traffic("2013-04-19", 900, 3, EFFECTS, invalid=("hour: 5.0% missing",), evidence=CHANGED)


def part(day: int, rows: int, micro: int, *, model: str = LIVE) -> Part:
    lost = (LossDay(f"2013-04-{day:02d}", rows, micro, 0),)
    return Part(f"parts/{day}", "v", "sha", rows, "", "", "2013/04/30", {model: lost})


HISTORY = Part("parts/history", "v", "sha", 40_000, "2013-01-01", "2013-04-01")


def window(*parts: Part, days: int = 2, min_rows: int = 1, heldout: float = 0.1) -> LossWindow:
    days_of_live = loss_days(parts, model=LIVE)
    return loss_window(days_of_live, model=LIVE, heldout_loss=heldout, window_days=days, min_rows=min_rows)


def test_the_loss_is_of_the_last_days_that_have_labels() -> None:
    found = window(part(1, 10, 9_000_000), part(5, 10, 1_000_000), part(9, 30, 5_000_000), HISTORY)
    assert (found.days, found.rows, found.loss) == (2, 40, 0.15)
    assert found.ratio == pytest.approx(1.5)


def test_two_parts_of_a_day_are_one_day() -> None:
    assert window(part(1, 10, 1), part(9, 10, 1), part(9, 5, 1)).rows == 25


def test_only_rows_that_the_live_model_answered_count() -> None:
    found = window(
        part(1, 10, 1_000_000), part(2, 90, 90_000_000, model=OLD), part(3, 90, 90_000_000, model=OLD)
    )
    assert (found.rows, found.loss) == (10, 0.1)


def test_below_the_least_number_of_rows_there_is_no_loss_and_at_it_there_is() -> None:
    assert window(part(1, 99, 1), min_rows=100).ratio is None
    assert window(part(1, 100, 1), min_rows=100).loss == 1e-8


def test_without_labels_there_is_nothing_to_compare() -> None:
    found = window(HISTORY, min_rows=5000)
    assert (found.days, found.rows, found.loss, found.ratio) == (0, 0, None, None)


def test_a_held_out_loss_of_zero_gives_a_loss_but_no_ratio() -> None:
    found = window(part(1, 10, 1_000_000), heldout=0.0)
    assert (found.loss, found.ratio) == (0.1, None)
    assert Metric.LOSS_RATIO not in metrics(found, EVIDENCE, TRAFFIC)


PARTS = st.lists(
    st.builds(
        part, st.integers(1, 28), st.integers(1, 999), st.integers(0), model=st.sampled_from([LIVE, OLD])
    ),
    max_size=12,
)


@given(PARTS, st.randoms(use_true_random=False), st.integers(1, 30))
def test_the_order_of_the_parts_changes_nothing(parts: list[Part], random: Random, days: int) -> None:
    mixed = list(parts)
    random.shuffle(mixed)
    assert window(*parts, days=days) == window(*mixed, days=days)


@given(PARTS, st.integers(1, 30))
def test_a_longer_window_never_holds_fewer_rows(parts: list[Part], days: int) -> None:
    assert window(*parts, days=days + 1).rows >= window(*parts, days=days).rows


def test_what_is_published_are_a_few_aggregates_each_with_its_unit() -> None:
    values = metrics(window(part(1, 10, 2_000_000)), EVIDENCE, TRAFFIC)
    assert values == {
        Metric.INVALID_DATA: 1,
        Metric.TRAFFIC_EVIDENCE: 0.9,
        Metric.CAPTURED_ROWS: 900,
        Metric.SKIPPED_LINES: 3,
        Metric.MAX_PSI: 0.4,
        Metric.LABELLED_ROWS: 10,
        Metric.LOSS_EVIDENCE: 0.75,
        Metric.LABELLED_LOSS: 0.2,
        Metric.LOSS_RATIO: pytest.approx(2.0),
    }
    assert values.keys() == METRIC_UNITS.keys()


def test_a_day_without_traffic_is_published_as_a_zero_and_has_no_psi() -> None:
    assert metrics(None, None, Traffic("2013-04-19", 0, 0)) == {
        Metric.INVALID_DATA: 0,
        Metric.CAPTURED_ROWS: 0,
        Metric.SKIPPED_LINES: 0,
    }


def test_too_few_labels_are_counted_but_not_judged() -> None:
    values = metrics(window(part(1, 10, 2_000_000), min_rows=100), EVIDENCE, TRAFFIC)
    assert values[Metric.LABELLED_ROWS] == 10
    assert not {Metric.LABELLED_LOSS, Metric.LOSS_RATIO} & values.keys()


def test_the_report_lists_features_by_how_much_they_changed() -> None:
    found = report(window(part(1, 10, 2_000_000)), EVIDENCE, TRAFFIC)
    assert [(one["feature"], one["psi"], one["wasserstein"]) for one in found["effects"]] == [
        ("origin", 0.4, None),
        ("hour", 0.1, 0.3),
    ]
    assert found["invalid"] == ["hour: 5.0% missing"]
    assert found["traffic"][0]["carriers"][0]["since"] == "2013-04-16"
    assert found["loss"] == {
        "model": LIVE,
        "label_days": 1,
        "labelled_rows": 10,
        "measured": 0.2,
        "heldout": 0.1,
        "ratio": pytest.approx(2.0),
    }
    assert found["evidence"] == {
        "level": 0.75,
        "value": 80.0,
        "threshold": 365.0,
        "windows": 9,
        "reference_windows": 59,
        "since": "2013-04-15",
        "young": "",
    }
    assert "loss" not in report(None, None, TRAFFIC)
