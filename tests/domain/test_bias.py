from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.bias import NAMES, Cell, Counts, Measured, added, breaks, post_training, pre_training

TABLES = json.loads((Path(__file__).parent / "bias_oracle.json").read_text())["tables"]


def counts_of(table: dict[str, Any]) -> Counts:
    return {Cell(*cell): count for *cell, count in table["counts"]}


def measured(counts: Counts) -> dict[str, Measured]:
    return {one.name: one for one in (*pre_training(counts), *post_training(counts))}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"seed{table['seed']}")
def test_every_metric_is_what_amazons_own_library_says(table: dict[str, Any]) -> None:
    found = measured(counts_of(table))
    assert tuple(found) == NAMES == tuple(table["metrics"])
    for name, theirs in table["metrics"].items():
        ours = found[name]
        if isinstance(theirs, str):
            assert ours.value is None, name
            assert ours.error, name
        else:
            assert ours.value == pytest.approx(theirs, abs=1e-9), name


def test_the_oracle_has_tables_where_a_metric_is_undefined_and_many_where_none_is() -> None:
    texts = [sum(isinstance(value, str) for value in table["metrics"].values()) for table in TABLES]
    assert texts.count(0) >= 20
    assert max(texts) >= 5


def test_the_counts_of_two_days_add_up_to_those_of_both() -> None:
    first, second = (counts_of(table) for table in TABLES[:2])
    both = added(first, second)
    assert sum(both.values()) == sum(first.values()) + sum(second.values())
    assert measured(both)["CI"].value == pytest.approx(
        (sum(n for cell, n in both.items() if not cell.in_facet) * 2 - sum(both.values()))
        / sum(both.values())
    )


def test_a_facet_without_a_row_has_no_bias_and_says_so() -> None:
    found = measured({Cell("", False, True, True): 5})
    assert {one.value for one in found.values()} == {None}
    assert found["CDDL"].error == "all rows are favourable, or none is"
    assert found["DPPL"].error == "the facet has no row"


@pytest.mark.parametrize(
    "name, value, limit, broken",
    [
        ("DPPL", 0.11, 0.1, True),
        ("DPPL", -0.11, 0.1, True),
        ("DPPL", 0.1, 0.1, False),
        ("DI", 0.79, 0.8, True),
        ("DI", 1.26, 0.8, True),
        ("DI", 1.24, 0.8, False),
        ("TE", None, 0.0, False),
    ],
)
def test_a_limit_holds_on_both_sides(name: str, value: float | None, limit: float, broken: bool) -> None:
    assert breaks(Measured(name, "", value), limit) is broken
