"""Whoever reads, in whatever order and however often: the counts are the same to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from domain.drift.categories import CategoryGrid
from domain.drift.counts import Batch, Counts, Grids, count, nothing, ranks, together, total
from domain.drift.grid import (
    ABOVE,
    BELOW,
    CELLS,
    FAR_ABOVE,
    FAR_BELOW,
    MISSING,
    NumberGrid,
    number_grid,
    parse_numbers,
)

GRIDS = Grids(
    {"hour": NumberGrid(0.0, 24.0), "delay": NumberGrid(-10.0, 1000.0, 0.0, 5.0)},
    {"dest": CategoryGrid(("ATL", "BOS"), ())},
    NumberGrid(0.0, 1.0),
    ranks(np.ones((2, CELLS), np.int64)),
)
ANY = st.floats(width=64, allow_nan=True, allow_infinity=True)
ROW = st.tuples(ANY, st.floats(-50, 5000), st.integers(0, 4), st.floats(0, 1), st.integers(0, 1_000_000))
ROWS = st.lists(ROW, max_size=20)


def counted(rows: list[tuple[float, float, int, float, int]]) -> Counts:
    if not rows:
        return nothing(GRIDS)
    hour, delay, dest, score, loss = zip(*rows, strict=True)
    values = zip(GRIDS.numbers.values(), (hour, delay), strict=True)
    cells = np.column_stack([grid.cells(np.array(column)) for grid, column in values])
    return count(GRIDS, Batch(cells, [np.array(dest)], GRIDS.prediction.cells(np.array(score)), loss, loss))


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_neither_the_order_of_rows_nor_how_they_are_cut_changes_a_count(rows, random, parts) -> None:
    whole = counted(rows)
    shuffled = random.sample(rows, len(rows))
    pieces = [counted(shuffled[i::parts]) for i in range(parts)]
    assert sum(random.sample(pieces, parts), nothing(GRIDS)) == whole


@given(st.lists(ROWS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_file_that_is_read_twice_or_late_or_by_another_reader_counts_once(files, random) -> None:
    read = {f"file-{i}": counted(rows) for i, rows in enumerate(files)}
    readings = [{name: read[name]} for name in [*read, *read]]
    random.shuffle(readings)
    assert total(GRIDS, together(readings)) == total(GRIDS, read)


def test_a_file_that_changed_between_two_readings_is_refused() -> None:
    one, other = counted([]), counted([(1.0, 2.0, 0, 0.5, 1)])
    with pytest.raises(ValueError, match="two different counts"):
        together([{"a": one}, {"a": other}])


def test_a_row_more_is_not_the_same_count() -> None:
    assert counted([(1.0, 2.0, 0, 0.5, 1)]) != counted([(1.0, 2.0, 0, 0.5, 1)] * 2)


FINITE = st.floats(-1e6, 1e6)
GRID = arrays.arrays(np.float64, st.integers(2, 50), elements=FINITE).map(number_grid)


@given(GRID, arrays.arrays(np.float64, 30, elements=ANY))
def test_a_greater_value_never_lies_in_a_lower_cell_and_only_nan_is_missing(grid, values) -> None:
    known = np.sort(values[~np.isnan(values)])
    cells = grid.cells(known)
    assert (np.diff(cells) >= 0).all()
    assert ((cells >= FAR_BELOW) & (cells <= FAR_ABOVE)).all()
    assert set(grid.cells(values[np.isnan(values)])) <= {MISSING}


@given(arrays.arrays(np.float64, st.integers(2, 50), elements=FINITE))
def test_no_training_value_is_far_outside_of_its_own_grid_but_for_the_outermost(values) -> None:
    cells = number_grid(values).cells(np.quantile(values, [0.01, 0.5, 0.99]))
    assert ((cells > BELOW) & (cells < ABOVE)).all()


@given(st.lists(st.one_of(FINITE.map(repr), st.sampled_from(["", " ", "junk", "1_0"])), max_size=10))
def test_a_column_is_read_alike_with_and_without_junk_in_it(texts) -> None:
    values, unreadable = parse_numbers([*texts, "junk"])
    assert unreadable[-1]
    again, bad = parse_numbers(texts)
    assert np.array_equal(values[:-1], again, equal_nan=True)
    assert np.array_equal(unreadable[:-1], bad)
