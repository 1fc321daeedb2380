"""What a look before a deploy finds, and what it says to do."""

from __future__ import annotations

from datetime import date

import pytest

from domain.instances import Candidate, Choice
from domain.preflight import (
    LOOK,
    OK,
    STOP,
    check_bootstrap,
    check_connection,
    check_people,
    check_prices,
    check_quota,
    check_version,
)

CHOICE = Choice(
    tuple(Candidate(name, 0.1, None, 0.1) for name in ("ml.c5.large", "ml.c6i.large")), (), "2026-09-27"
)


def test_a_tool_that_is_not_there_stops() -> None:
    found = check_version("CDK CLI", found="", wanted="2.1148.1", remedy="make setup")
    assert (found.verdict, found.found) == (STOP, "not there, and 2.1148.1 is pinned")


@pytest.mark.parametrize(
    ("version", "verdict"), [(None, STOP), ("5", STOP), ("6", OK), ("30", OK), ("x", STOP)]
)
def test_the_account_must_be_prepared_for_the_cdk(version: str | None, verdict: str) -> None:
    found = check_bootstrap(version, account="123456789012", region="eu-west-1")
    assert found.verdict == verdict
    assert (found.remedy == "make bootstrap ARGS=aws://123456789012/eu-west-1") is (verdict == STOP)


@pytest.mark.parametrize(("day", "verdict"), [(date(2026, 10, 1), OK), (date(2027, 10, 1), LOOK)])
def test_old_prices_are_worth_a_look_and_stop_nothing(day: date, verdict: str) -> None:
    assert check_prices(date(2026, 9, 27), region="us-east-1", today=day).verdict == verdict


def test_a_quota_of_zero_stops_and_names_the_cheapest_type_that_has_enough() -> None:
    quotas = {"ml.c5.large for endpoint usage": 0.0, "ml.c6i.large for endpoint usage": 4.0}
    found = check_quota(CHOICE, "Hosting", quotas, needed=2)
    assert (found.verdict, found.found) == (STOP, "ml.c5.large for endpoint usage: 0, needed 2")
    assert "until then ml.c6i.large has enough" in found.remedy


def test_a_quota_that_is_unknown_is_worth_a_look_and_no_other_type_is_made_up() -> None:
    found = check_quota(CHOICE, "Training", {}, needed=1)
    assert found.verdict == LOOK
    assert (
        found.remedy
        == "ask for it in Service Quotas, SageMaker: 'ml.c5.large for training job usage' at least 1"
    )


def test_a_quota_of_one_endpoint_instance_is_too_little_for_a_release_with_two_fleets() -> None:
    quotas = {"ml.c5.large for endpoint usage": 1.0}
    assert check_quota(CHOICE, "Hosting", quotas, needed=2).verdict == STOP
    assert check_quota(CHOICE, "Hosting", quotas, needed=1).verdict == OK


@pytest.mark.parametrize(("status", "verdict"), [("AVAILABLE", OK), ("PENDING", STOP), ("ERROR", STOP)])
def test_a_connection_that_nobody_completed_stops(status: str, verdict: str) -> None:
    assert check_connection(status).verdict == verdict


def test_somebody_must_hear_what_the_topic_says() -> None:
    assert check_people(None, []).verdict == LOOK
    assert check_people("on-call@example.com", []).verdict == OK
    waiting = check_people("on-call@example.com", ["on-call@example.com"])
    assert (waiting.verdict, waiting.found) == (
        LOOK,
        "on-call@example.com has not confirmed the subscription",
    )
