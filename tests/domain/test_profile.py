import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.profile import KEPT_VALUES, CategoryGrid, NumberGrid, Profile, count, number_grid, profile, psi

KINDS = {"hour": "number", "dest": "category"}
ROWS = [(str(n % 20), "ATL" if n % 3 else "BOS") for n in range(200)]
CELLS = st.tuples(
    st.one_of(st.just(""), st.just("junk"), st.floats(-5, 30).map(str)), st.sampled_from(["ATL", "X", ""])
)


def test_each_row_falls_into_exactly_one_cell_of_each_feature() -> None:
    reference = profile(KINDS, ROWS).reference
    assert reference.rows == 200
    assert {name: sum(cells) for name, cells in reference.cells.items()} == {"hour": 200, "dest": 200}


@given(st.lists(CELLS, max_size=30), st.lists(CELLS, max_size=30))
def test_the_counts_of_two_batches_add_up_to_the_counts_of_both(
    some: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    grid = profile(KINDS, ROWS)
    assert grid.count(some) + grid.count(more) == grid.count(some + more)


def test_the_training_rows_have_no_distance_to_themselves() -> None:
    grid = profile(KINDS, ROWS)
    assert grid.psi(grid.count(ROWS)) == {"hour": 0.0, "dest": 0.0}


def test_psi_equals_the_value_computed_by_hand() -> None:
    # 30 and 10 rows in two cells become 30.5/41 and 10.5/41; 10 and 30 the reverse.
    by_hand = 2 * (20 / 41) * math.log(30.5 / 10.5)
    assert psi([30, 10], [10, 30]) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(1.0403, abs=1e-4)


def test_one_empty_cell_does_not_decide_alone() -> None:
    assert psi([9900, 100], [1000, 0]) < 0.06


def test_rows_that_moved_have_a_greater_distance_than_rows_that_did_not() -> None:
    grid = profile(KINDS, ROWS)
    moved = grid.psi(grid.count([("19", dest) for _, dest in ROWS]))
    assert moved["hour"] > 1
    assert moved["dest"] == 0.0


def test_a_profile_survives_json_unchanged() -> None:
    grid = profile(KINDS, ROWS)
    again = Profile.from_json(grid.to_json())
    assert again.grids == grid.grids
    assert again.count([("3.5", "new")]) == grid.count([("3.5", "new")])
    assert again.to_json() == grid.to_json()


def test_a_profile_of_another_format_is_refused() -> None:
    raw = {**json.loads(profile(KINDS, ROWS).to_json()), "format": 2}
    with pytest.raises(ValueError, match="got format 2, this code reads 1"):
        Profile.from_json(json.dumps(raw))


def test_what_training_never_saw_is_told_from_what_it_rarely_saw() -> None:
    often = [f"d{n}" for n in range(KEPT_VALUES)]
    grid = profile({"dest": "category"}, [(value,) for value in often * 2 + ["rare"]])
    cells = grid.count([("rare",), ("never",), ("",), ("never",)]).cells["dest"]
    assert cells[-3:] == (1, 2, 1)


def test_numbers_outside_the_training_range_are_counted_at_the_ends_and_missing_ones_apart() -> None:
    grid = profile(KINDS, ROWS)
    cells = grid.count([("-999", "ATL"), ("999", "ATL"), ("", "ATL")]).cells["hour"]
    assert (cells[0], cells[-2], cells[-1]) == (1, 1, 1)


@pytest.mark.parametrize("column, edges", [(["7"] * 9, ()), (["", ""], ()), (["0"] * 99 + ["1"], (0.0,))])
def test_a_column_that_hardly_varies_has_few_edges(column: list[str], edges: tuple[float, ...]) -> None:
    assert number_grid(column) == NumberGrid(edges)


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        count({"a": CategoryGrid(("x",), ()), "b": NumberGrid(())}, [("x",)])
