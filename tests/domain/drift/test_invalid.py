import numpy as np
import pytest

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count, ranks
from domain.drift.grid import CELLS, UNREADABLE, NumberGrid
from domain.drift.invalid import faults
from domain.drift.signals import Training

GRIDS = Grids(
    {"miles": NumberGrid(0.0, 100.0)},
    {"dest": CategoryGrid(("ATL", "BOS"), ("TUS",))},
    NumberGrid(0.0, 1.0),
    ranks(np.ones((1, CELLS), np.int64)),
)


def counted(miles: np.ndarray, dest: np.ndarray, unreadable: int = 0) -> Counts:
    cells = GRIDS.numbers["miles"].cells(miles)
    cells[:unreadable] = UNREADABLE
    return count(GRIDS, Batch(cells[:, None], [dest], GRIDS.prediction.cells(np.full(len(miles), 0.5))))


def rows(number: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(number)
    return random.uniform(0, 100, number), random.integers(0, 2, number)


TRAINING = Training(GRIDS, counted(*rows(10_000)))


def found(counts: Counts) -> list[tuple[str, str]]:
    return [(fault.feature, fault.kind) for fault in faults(TRAINING, counts)]


def test_rows_as_in_training_have_no_fault() -> None:
    assert found(counted(*rows(1000))) == []


@pytest.mark.parametrize("factor", [1000.0, -50.0])
def test_another_unit_is_a_fault_in_the_first_window(factor: float) -> None:
    miles, dest = rows(500)
    assert found(counted(miles * factor, dest)) == [("miles", "far out of range")]


def test_values_a_little_outside_are_news_and_no_fault() -> None:
    miles, dest = rows(500)
    assert found(counted(miles + 50, dest)) == []


def test_missing_cells_are_a_fault_and_so_is_text_where_a_number_stood() -> None:
    miles, dest = rows(1000)
    miles[:50] = np.nan
    assert found(counted(miles, dest)) == [("miles", "missing")]
    assert found(counted(*rows(1000), unreadable=50)) == [("miles", "unreadable")]


def test_categories_that_training_never_saw_are_a_fault_rare_ones_are_not() -> None:
    miles, dest = rows(1000)
    rare, unseen = dest.copy(), dest.copy()
    rare[:40], unseen[:40] = 2, 3
    assert found(counted(miles, rare)) == []
    assert found(counted(miles, unseen)) == [("dest", "unseen")]


def test_one_odd_row_in_a_quiet_hour_is_no_fault() -> None:
    miles, dest = rows(20)
    miles[0] = 1e9
    assert found(counted(miles, dest)) == []
