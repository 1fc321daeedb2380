"""Dollars a month before a deploy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.estimate import Line, Load, changes, estimate
from domain.idle_cost import IdleCost

IDLE = IdleCost(endpoint_usd=74.46, watch_usd=6.2, key_usd=1.0, queue_usd=0.26)
LOAD = Load(1_000_000, 1000, 100, capture_percent=100, capture_days=90)


def lines(load: Load) -> dict[str, Line]:
    return {line.what: line for line in estimate(IDLE, load, instances="1 x t", training_budget_usd=25)}


def test_a_million_requests_a_day_of_a_kilobyte_move_33_gigabytes_a_month() -> None:
    found = lines(LOAD)
    assert found["data through the endpoint"].load_usd == pytest.approx(33.458 * 0.016, rel=1e-3)
    assert found["captured requests"].load_usd == pytest.approx(1.1 * 1.4 * 90 * 0.023, rel=1e-3)


@given(st.floats(0, 1e9), st.floats(0, 1e6), st.floats(0, 1e6))
def test_at_rest_traffic_costs_nothing_and_under_load_no_line_is_cheaper(
    requests: float, request_bytes: float, answer_bytes: float
) -> None:
    found = lines(Load(requests, request_bytes, answer_bytes, capture_percent=50, capture_days=30))
    assert sum(line.idle_usd for line in found.values()) == pytest.approx(IDLE.total_usd)
    assert all(line.load_usd >= line.idle_usd for line in found.values())


def test_half_the_capture_costs_half_as_much_to_keep() -> None:
    half = lines(replace(LOAD, capture_percent=50))["captured requests"].load_usd
    assert half == pytest.approx(lines(LOAD)["captured requests"].load_usd / 2)


@pytest.mark.parametrize("name", ["requests_per_day", "request_bytes", "answer_bytes"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_traffic_that_cannot_be_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name}: got .*; allowed: from 0"):
        replace(LOAD, **{name: value})


def test_changes_tell_lines_that_came_went_or_cost_another_amount_and_no_others() -> None:
    before = [Line("endpoint", 1, 74.46, ""), Line("queues", 1, 0.26, ""), Line("keys", 1, 1, "one key")]
    after = [Line("endpoint", 1, 148.92, ""), Line("networks", 1, 32.85, ""), Line("keys", 1, 1.004, "a key")]
    found = {one.what: round(one.usd, 2) for one in changes(before, after)}
    assert found == {"endpoint": 74.46, "queues": -0.26, "networks": 32.85}
