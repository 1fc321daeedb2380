import numpy as np
import pytest

from domain.drift.counts import Counts
from domain.drift.windows import windows

NONE = np.zeros((1, 1), np.int64)


def hour(at: int, rows: int) -> tuple[int, Counts]:
    return at, Counts(rows, NONE, (), NONE)


def closed(hours, **how) -> list[tuple[int, int, int]]:
    return [(w.first, w.last, w.counts.rows) for w in windows(hours, **how)]


def test_an_hour_with_enough_rows_is_a_window() -> None:
    assert closed([hour(5, 10), hour(6, 12)], min_rows=10) == [(5, 5, 10), (6, 6, 12)]


def test_sparse_hours_merge_until_they_have_enough_rows() -> None:
    assert closed([hour(5, 4), hour(6, 5), hour(9, 1), hour(10, 30)], min_rows=10) == [
        (5, 9, 10),
        (10, 10, 30),
    ]


def test_what_has_not_enough_rows_yet_stays_open() -> None:
    assert closed([hour(5, 9)], min_rows=10) == []


def test_a_window_of_a_day_ends_with_its_day_though_its_last_hours_were_silent() -> None:
    assert closed([hour(20, 9), hour(30, 9), hour(47, 2)], window_hours=24) == [(20, 20, 9), (30, 47, 11)]


def test_a_window_knows_its_hours_of_day_and_its_days_of_week() -> None:
    monday = (4 * 24) + 3  # 5 January 1970, 03:00
    (window,) = windows([hour(monday - 4, 2), hour(monday, 10)], min_rows=10)
    assert (window.hour_rows[23], window.hour_rows[3]) == (2, 10)
    assert (window.weekday_rows[6], window.weekday_rows[0]) == (2, 10)


def test_hours_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        list(windows([hour(5, 1), hour(4, 1)], min_rows=10))
