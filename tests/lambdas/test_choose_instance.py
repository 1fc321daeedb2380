from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.instances import NothingFitsError, Workload
from domain.job_record import JobRecord
from domain.prices import PriceError
from domain.settings import ChooseInstanceSettings
from lambdas import choose_instance
from tests.lambdas.local import Local

SETTINGS = ChooseInstanceSettings(region="us-east-1", estimates="use", explore="off")


def choose(
    local: Local, event: dict[str, Any], settings: ChooseInstanceSettings = SETTINGS
) -> dict[str, Any]:
    return local.run(choose_instance, settings, event)


def test_the_cheapest_type_comes_first_and_each_other_one_has_its_cost_or_its_reason(local: Local) -> None:
    answer = choose(local, {"workload": asdict(Workload("Hosting", memory_gib=4, vcpus=2))})
    costs = [candidate["expected_usd"] for candidate in answer["candidates"]]
    assert costs == sorted(costs)
    assert all(reason for _, reason in answer["refused"])
    assert answer["prices_as_of"] == "2026-09-27"


def test_the_price_of_named_types_is_the_tables(local: Local) -> None:
    assert choose(local, {"price_of": ["ml.m5.large", "ml.c5.2xlarge"]}) == {
        "ml.m5.large": 0.115,
        "ml.c5.2xlarge": 0.408,
    }


def test_a_type_without_a_price_is_refused(local: Local) -> None:
    with pytest.raises(PriceError, match=r"no price for ml\.unknown in us-east-1"):
        choose(local, {"price_of": ["ml.unknown"]})


def test_a_workload_that_nothing_fits_is_an_error_with_advice(local: Local) -> None:
    with pytest.raises(NothingFitsError, match="lower memory_gib"):
        choose(local, {"workload": asdict(Workload("Hosting", memory_gib=24_577))})


IRELAND = replace(SETTINGS, region="eu-west-1")


def test_a_price_that_is_only_estimated_says_so(local: Local) -> None:
    answer = choose(local, {"workload": asdict(Workload("Hosting", memory_gib=4, vcpus=2))}, IRELAND)
    assert all(candidate["price_is_estimated"] for candidate in answer["candidates"])


def test_estimates_are_refused_where_the_configuration_refuses_them(local: Local) -> None:
    strict = replace(IRELAND, estimates="refuse")
    with pytest.raises(NothingFitsError, match="has no x86_64 type for Hosting"):
        choose(local, {"workload": asdict(Workload("Hosting", memory_gib=4, vcpus=2))}, strict)


def test_prices_that_are_old_on_the_day_of_the_choice_are_told(local: Local) -> None:
    workload = {"workload": asdict(Workload("Hosting", memory_gib=4, vcpus=2))}
    assert choose(local, workload)["prices"]["verdict"] == "fresh"
    local.at(datetime(2026, 11, 21, tzinfo=UTC))
    told = choose(local, workload)["prices"]
    assert (told["verdict"], told["age_days"]) == ("warn", 55)


def finished(instance_type: str, minutes: float, outcome: str = "completed") -> dict[str, Any]:
    return JobRecord("Training", instance_type, 60 * minutes, outcome, 1000).to_json()


JOB = asdict(Workload("Training", memory_gib=4, minutes_on_one_vcpu=10, deadline_minutes=60))


def test_jobs_that_ended_are_learned_from_and_the_answer_says_so(local: Local) -> None:
    answer = choose(local, {"workload": JOB, "finished": [finished("ml.m5.large", 20)], "rows": 1000})
    assert answer["rule"] == "cheapest-as-learned"
    assert "learned from 1 finished Training job:" in answer["because"][1]
    low, high = answer["candidates"][0]["minutes_range"]
    assert low < answer["candidates"][0]["expected_minutes"] < high


def test_past_90_days_the_last_type_stays_and_it_is_said_why(local: Local) -> None:
    asked = {"workload": JOB, "finished": [finished("ml.m5.4xlarge", 20)], "rows": 1000}
    assert choose(local, asked)["candidates"][0]["instance_type"] != "ml.m5.4xlarge"
    local.at(datetime(2027, 1, 1, tzinfo=UTC))
    answer = choose(local, asked)
    assert answer["candidates"][0]["instance_type"] == "ml.m5.4xlarge"
    assert "ml.m5.4xlarge is kept: the prices are too old" in answer["because"][0]
    assert "96 days old" in answer["because"][-1]
