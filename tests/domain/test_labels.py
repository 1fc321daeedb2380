"""Labels that cannot be, and labels of a world that changed."""

import pytest

from domain.labels import LabelDay, UsualLabels, label_days, wrong_labels

DAYS = [LabelDay(f"2013-01-{n + 1:02d}", 200, 0, 200_000_0 * share) for n, share in enumerate((20, 60, 35))]
USUAL = UsualLabels.of("binary", DAYS)


def day(share: float, rows: int = 200, unusable: int = 0) -> LabelDay:
    return LabelDay("2013-03-15", rows, unusable, round(1e6 * rows * share))


def test_the_limits_are_those_of_the_days_with_enough_rows() -> None:
    few = LabelDay("2013-01-09", 9, 0, 9_000_000)
    assert UsualLabels.of("binary", [*DAYS, few]) == UsualLabels("binary", 0.2, 0.6, 200)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6, 0.9])
def test_a_rate_that_was_never_so_high_or_low_is_news_and_no_fault(share: float) -> None:
    assert wrong_labels(USUAL, day(share)) == ()


@pytest.mark.parametrize("share", [0.0, 0.99, 1.0])
def test_labels_that_are_all_but_alike_cannot_be(share: float) -> None:
    (said,) = wrong_labels(USUAL, day(share))
    assert said.startswith(f"labels of 2013-03-15: {share:.1%} are 1")


def test_a_few_labels_that_are_alike_are_chance() -> None:
    assert wrong_labels(USUAL, day(1.0, rows=10)) == ()


def test_labels_that_are_none_of_this_task_are_told_from_a_hundredth_on() -> None:
    assert wrong_labels(USUAL, day(0.4, unusable=3)) == ()
    assert "are none of this task" in wrong_labels(USUAL, day(0.4, unusable=30))[0]
    assert "100.0% are none" in wrong_labels(USUAL, day(0.0, rows=0, unusable=200))[0]


@pytest.mark.parametrize(
    ("size", "is_wrong"), [(30.0, False), (1.0, True), (590.0, False), (6_000.0, True), (30_000.0, True)]
)
def test_a_unit_of_thousandths_of_a_number_cannot_be(size: float, is_wrong: bool) -> None:
    days = [LabelDay(f"2013-01-0{n}", 100, 0, n * 20 * 100_000_000) for n in (1, 2, 3)]
    usual = UsualLabels.of("regression", days)
    assert bool(wrong_labels(usual, day(size, rows=100))) is is_wrong
    assert wrong_labels(usual, day(size, rows=99)) == ()


@pytest.mark.parametrize(
    ("place", "rows", "is_wrong"),
    [
        (0.0, 60, False),
        (0.0, 3000, True),
        (1.0, 60, True),
        (0.06, 3000, False),
        (1.9, 3000, True),
        (1.9, 3, False),
    ],
)
def test_of_rare_classes_a_day_with_none_of_them_is_chance_and_many_such_rows_are_not(
    place: float, rows: int, is_wrong: bool
) -> None:
    """Three classes, of which the first is nearly always right: places are bounded, as a share is."""
    days = [LabelDay(f"2013-01-0{n}", 60, 0, n * 1_000_000) for n in (1, 2, 3)]
    usual = UsualLabels.of("multiclass", days, classes=3)
    said = wrong_labels(usual, day(place, rows=rows))
    assert bool(said) is is_wrong
    assert all("mean place among the classes" in one for one in said)


def test_two_parts_of_a_day_are_one_day() -> None:
    assert label_days([day(1.0, 10), day(0.0, 30, 5)]) == (LabelDay("2013-03-15", 40, 5, 10_000_000),)
