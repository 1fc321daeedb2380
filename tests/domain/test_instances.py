from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instances import (
    BILLED_START_MINUTES,
    Choice,
    NothingFitsError,
    Workload,
    choose,
    expected_minutes,
    micro_usd,
    refusal,
)
from domain.prices import InstanceType, PriceBook, parse_prices

TABLE = Path(__file__).resolve().parents[2] / "config" / "prices" / "us-east-1.csv"
SMALL = InstanceType("ml.m5.large", 0.115, 2, 8.0, 0, "x86_64", False, frozenset({"Training", "Hosting"}))
LARGE = replace(SMALL, name="ml.m5.xlarge", usd_per_hour=0.23, vcpus=4, memory_gib=16.0)
ENDPOINT = Workload("Hosting", memory_gib=4)
JOB = Workload("Training", memory_gib=4, minutes_on_one_vcpu=100, deadline_minutes=600)


def book(*types: InstanceType) -> PriceBook:
    return PriceBook("us-east-1", date(2026, 9, 27), types)


def names(choice: Choice) -> list[str]:
    return [candidate.instance_type for candidate in choice.candidates]


TYPES = st.builds(
    InstanceType,
    name=st.sampled_from([f"ml.t{i}" for i in range(8)]),
    usd_per_hour=st.sampled_from([0.1, 0.2, 0.4]),
    vcpus=st.sampled_from([1, 2, 4, 64]),
    memory_gib=st.sampled_from([2.0, 8.0, 512.0]),
    gpus=st.just(0),
    architecture=st.sampled_from(["x86_64", "arm64"]),
    local_nvme=st.booleans(),
    components=st.sets(st.sampled_from(["Training", "Hosting"])).map(frozenset),
)
GIANT = InstanceType("ml.giant", 9.0, 64, 1024.0, 8, "x86_64", False, frozenset({"Training", "Hosting"}))
"""Fits every workload below, so that there is always a choice."""
BOOKS = st.lists(TYPES, unique_by=lambda one: one.name, max_size=8).map(lambda types: book(GIANT, *types))
WORKLOADS = st.builds(
    Workload,
    component=st.sampled_from(["Training", "Hosting"]),
    memory_gib=st.sampled_from([1.0, 4.0, 16.0]),
    vcpus=st.sampled_from([1, 2, 8]),
    volume_encrypted=st.booleans(),
    minutes_on_one_vcpu=st.none() | st.floats(1, 1000),
    deadline_minutes=st.none() | st.floats(60, 1000),
)


@given(BOOKS, WORKLOADS)
def test_each_type_of_the_table_fits_or_has_a_reason(prices: PriceBook, workload: Workload) -> None:
    choice = choose(prices, workload)
    refused = dict(choice.refused)
    assert sorted([*names(choice), *refused]) == sorted(one.name for one in prices.types)
    assert all(refused.values())


@given(BOOKS, WORKLOADS, st.sampled_from([0.0, 1.0, 12.0, 400.0]))
def test_who_asks_for_more_memory_never_gets_less(prices: PriceBook, workload: Workload, more: float) -> None:
    first = choose(prices, workload).winner
    second = choose(prices, replace(workload, memory_gib=workload.memory_gib + more)).winner
    assert prices[second.instance_type].memory_gib >= workload.memory_gib + more
    assert prices[second.instance_type].memory_gib >= min(
        prices[first.instance_type].memory_gib, workload.memory_gib + more
    )
    assert second.expected_usd >= first.expected_usd


@given(BOOKS, WORKLOADS)
def test_every_candidate_meets_every_limit_and_none_is_cheaper_than_the_winner(
    prices: PriceBook, workload: Workload
) -> None:
    choice = choose(prices, workload)
    for candidate in choice.candidates:
        instance = prices[candidate.instance_type]
        assert workload.component in instance.components
        assert instance.memory_gib >= workload.memory_gib
        assert instance.vcpus >= workload.vcpus
        assert not (instance.local_nvme and workload.volume_encrypted)
        if workload.deadline_minutes and candidate.expected_minutes:
            assert candidate.expected_minutes <= workload.deadline_minutes + 0.01
        assert candidate.expected_usd >= choice.winner.expected_usd


@given(BOOKS, WORKLOADS)
def test_the_order_of_the_table_changes_nothing(prices: PriceBook, workload: Workload) -> None:
    choice = choose(prices, workload)
    assert choose(replace(prices, types=tuple(reversed(prices.types))), workload) == choice


def test_equal_costs_are_ordered_by_price_and_then_by_name() -> None:
    twin, other = replace(SMALL, name="ml.b"), replace(SMALL, name="ml.a")
    assert names(choose(book(twin, LARGE, other), ENDPOINT)) == ["ml.a", "ml.b", "ml.m5.xlarge"]
    no_work = replace(JOB, minutes_on_one_vcpu=0.0)
    free = [replace(SMALL, name="ml.z", usd_per_hour=1e-9), replace(SMALL, name="ml.y", usd_per_hour=2e-9)]
    assert names(choose(book(*free), no_work)) == ["ml.z", "ml.y"]


def test_a_job_costs_its_start_and_its_run_on_that_many_vcpus() -> None:
    winner = choose(book(LARGE), JOB).winner
    minutes = expected_minutes(100, 4)
    assert winner.expected_minutes == pytest.approx(minutes, abs=0.01)
    assert winner.expected_usd == pytest.approx(0.23 * (BILLED_START_MINUTES + minutes) / 60, abs=1e-6)


def test_an_endpoint_costs_its_price_an_hour() -> None:
    assert choose(book(SMALL), ENDPOINT).winner.expected_usd == SMALL.usd_per_hour


@pytest.mark.parametrize(
    ("instance", "workload", "reason"),
    [
        (SMALL, Workload("Processing", 4), "does not offer it for Processing"),
        (replace(SMALL, architecture="arm64"), ENDPOINT, "its architecture is arm64; the image is x86_64"),
        (replace(SMALL, local_nvme=True), ENDPOINT, "takes no KMS volume key"),
        (SMALL, replace(ENDPOINT, memory_gib=9), "memory: 8 GiB is below 9 GiB"),
        (SMALL, replace(ENDPOINT, vcpus=3), "vCPUs: 2 is below 3"),
        (SMALL, replace(JOB, deadline_minutes=30), "deadline: 61.6 expected minutes are above 30"),
    ],
)
def test_a_refusal_names_the_first_limit_that_is_not_met(
    instance: InstanceType, workload: Workload, reason: str
) -> None:
    assert reason in (refusal(instance, workload) or "")


def test_exactly_enough_is_enough() -> None:
    exact = replace(JOB, memory_gib=8, vcpus=2, deadline_minutes=expected_minutes(100, 2))
    assert refusal(SMALL, exact) is None


@pytest.mark.parametrize(
    ("workload", "says"),
    [
        (replace(ENDPOINT, memory_gib=999), "up to 16 GiB and 4 vCPUs: lower memory_gib or vcpus"),
        (
            replace(JOB, deadline_minutes=1),
            "the fastest takes 37.9 expected minutes: lower .* or raise deadline",
        ),
        (Workload("Processing", 4), "no x86_64 type for Processing with an encrypted volume; add one"),
        (replace(ENDPOINT, architecture="arm64"), "no arm64 type for Hosting"),
    ],
)
def test_where_nothing_fits_the_nearest_relaxation_is_named(workload: Workload, says: str) -> None:
    with pytest.raises(NothingFitsError, match=says):
        choose(book(SMALL, LARGE), workload)


def test_the_advice_does_not_count_types_that_take_no_key() -> None:
    huge = replace(SMALL, name="ml.m5d.huge", memory_gib=768.0, local_nvme=True)
    with pytest.raises(NothingFitsError, match="up to 8 GiB"):
        choose(book(SMALL, huge), replace(ENDPOINT, memory_gib=100))


def test_the_defaults_find_an_instance_in_the_table_that_we_ship() -> None:
    prices = parse_prices(TABLE.read_text(), "us-east-1")
    for component in ("Training", "Processing"):
        choice = choose(
            prices, replace(JOB, component=component, minutes_on_one_vcpu=10, deadline_minutes=60)
        )
        assert choice.winner.expected_usd < 0.1
        assert choice.prices_as_of == prices.as_of.isoformat()


@given(st.lists(st.integers(0, 10**7), max_size=20))
def test_sums_of_reservations_are_exact(micros: list[int]) -> None:
    assert sum(micro_usd(micro / 1e6) for micro in micros) == sum(micros)


@given(st.floats(0, 1000))
def test_a_reservation_is_never_below_the_price(usd: float) -> None:
    assert 0 <= micro_usd(usd) - usd * 1e6 + 0.001 < 1.002
