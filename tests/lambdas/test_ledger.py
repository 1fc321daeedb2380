from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from domain.decision import Decision
from domain.events import iso, month_of
from domain.releases import Champion, ReleaseRecord
from domain.training_run import Plan
from lambdas.ledger import Ledger
from tests.lambdas.local import NOW, Local

BUDGET = 1_000_000
PLAN = Plan(
    run_id="run-1",
    cause="push",
    incident="3f2c1a",
    pipeline_name="tideline-dev-train",
    snapshot_id="s",
    content_id="c",
    training_instance_type="ml.m5.large",
    processing_instance_type="ml.m5.large",
    max_runtime_minutes=60,
    reserved_micro_usd=600_000,
    champion_model_data=None,
    champion_package=None,
)
OTHER = replace(PLAN, run_id="run-2", incident="other")
SKIP = Decision("training", "skip", "paused", ("somebody paused it",), {"cause": "push"})


@pytest.fixture
def ledger(local: Local) -> Ledger:
    return local.ledger


def claim(ledger: Ledger, plan: Plan, *, budget: int = BUDGET, later: timedelta = timedelta(0)) -> bool:
    return ledger.claim(plan, now=NOW + later, budget_micro_usd=budget)


def remaining(ledger: Ledger, budget: int = BUDGET) -> int:
    return ledger.remaining_micro_usd(month_of(NOW), budget_micro_usd=budget)


def settle(ledger: Ledger, spent: int = 100_000) -> bool:
    return ledger.settle("run-1", outcome="Succeeded", spent_micro_usd=spent, now=NOW + timedelta(hours=1))


def test_a_decision_is_recorded_once_for_its_kind_subject_and_rule(ledger: Ledger) -> None:
    assert ledger.record(SKIP, subject="run-1", now=NOW)
    assert not ledger.record(SKIP, subject="run-1", now=NOW + timedelta(hours=1))
    assert ledger.record(SKIP, subject="run-2", now=NOW)
    assert ledger.record(replace(SKIP, rule="in-flight"), subject="run-1", now=NOW)
    assert [(one["subject"], one["rule"]) for one in ledger.decisions()] == [
        ("run-1", "in-flight"),
        ("run-1", "paused"),
        ("run-2", "paused"),
    ]


def test_a_decision_is_kept_with_its_reasons_and_inputs(ledger: Ledger) -> None:
    ledger.record(SKIP, subject="run-1", now=NOW)
    (kept,) = ledger.decisions()
    assert Decision.from_json(kept) == SKIP
    assert kept["at"] == "2013-04-20T13:00:00Z"


def test_decisions_come_back_in_the_order_of_time(ledger: Ledger) -> None:
    for hours in (2, 0, 1):
        ledger.record(SKIP, subject=f"run-{hours}", now=NOW + timedelta(hours=hours))
    assert [one["subject"] for one in ledger.decisions()] == ["run-0", "run-1", "run-2"]


def test_an_error_that_is_no_race_is_not_taken_for_one(ledger: Ledger) -> None:
    with pytest.raises(ClientError):
        ledger.record(SKIP, subject="x" * 3000, now=NOW)


def test_the_switch_stays_as_somebody_set_it(local: Local, ledger: Ledger) -> None:
    assert not ledger.paused()
    local.pause(True)
    assert ledger.paused()
    local.pause(False)
    assert not ledger.paused()


def test_a_claim_takes_the_run_the_lease_and_the_money(ledger: Ledger) -> None:
    assert claim(ledger, PLAN)
    run = ledger.run("run-1")
    assert run is not None
    assert (run["status"], run["plan"]) == ("CLAIMED", PLAN.to_json())
    assert ledger.running(NOW) == "run-1"
    assert remaining(ledger) == 400_000


@pytest.mark.parametrize("plan", [PLAN, OTHER])
def test_a_second_claim_takes_nothing_while_the_first_run_goes(ledger: Ledger, plan: Plan) -> None:
    claim(ledger, PLAN)
    assert not claim(ledger, plan, budget=10 * BUDGET)
    assert ledger.run("run-2") is None
    assert remaining(ledger) == 400_000


def test_the_money_must_be_there_whole_and_may_go_to_the_last_cent(ledger: Ledger) -> None:
    assert not claim(ledger, PLAN, budget=599_999)
    assert ledger.running(NOW) is None
    assert claim(ledger, PLAN, budget=600_000)
    assert remaining(ledger, 600_000) == 0


def test_all_runs_of_a_month_share_its_budget_and_a_new_month_has_its_own(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    settle(ledger, spent=600_000)
    assert not claim(ledger, OTHER)
    assert claim(ledger, OTHER, later=timedelta(days=30))


def test_a_budget_that_was_raised_counts_at_once(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    settle(ledger, spent=600_000)
    assert remaining(ledger, 5 * BUDGET) == 4_400_000
    assert claim(ledger, OTHER, budget=5 * BUDGET)


def test_a_lease_that_ran_out_is_free(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    late = PLAN.lease_until(NOW)
    assert ledger.running(late - timedelta(seconds=1)) == "run-1"
    assert ledger.running(late) is None
    assert ledger.claim(OTHER, now=late, budget_micro_usd=10 * BUDGET)
    assert not ledger.renew_lease(PLAN, now=late)
    assert ledger.renew_lease(OTHER, now=late)


def test_what_a_run_did_not_spend_is_given_back_once(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    assert settle(ledger)
    assert not settle(ledger)
    assert remaining(ledger) == 900_000
    assert ledger.running(NOW) is None


def test_of_two_that_settle_a_run_at_the_same_time_one_gives_the_money_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(ledger, PLAN)
    before = ledger.run("run-1")
    assert settle(ledger)
    monkeypatch.setattr(ledger, "run", lambda _: before)  # the other one read this a moment ago
    assert not settle(ledger)
    ledger.mark_started("run-1", execution_arn="arn:execution", now=NOW)
    assert ledger.runs()[0]["status"] == "SETTLED"
    assert remaining(ledger) == 900_000


def test_a_run_that_cost_more_than_its_reserve_is_charged_in_full(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    settle(ledger, spent=700_000)
    assert remaining(ledger) == 300_000


def test_settling_a_run_leaves_the_lease_of_a_later_one_alone(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    late = PLAN.lease_until(NOW)
    ledger.claim(OTHER, now=late, budget_micro_usd=10 * BUDGET)
    settle(ledger)
    assert ledger.running(late) == "run-2"


def test_a_start_that_is_noted_late_does_not_reopen_a_settled_run(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    settle(ledger)
    ledger.mark_started("run-1", execution_arn="arn:execution", now=NOW)
    assert ledger.runs()[0]["status"] == "SETTLED"
    assert not settle(ledger)


RECORD = ReleaseRecord("000001", "s3://m", "repo@sha256:1", "arn:package/1", ("ml.c5.large",))
FACTS = {"package_arn": "arn:package/1", "report_uri": "s3://r", "profile_uri": "s3://p", "heldout_loss": 0.1}


def test_one_release_is_open_at_a_time_and_it_is_kept_when_it_closes(ledger: Ledger) -> None:
    assert ledger.open_release(RECORD, FACTS, now=NOW)
    assert not ledger.open_release(replace(RECORD, release_id="000002"), FACTS, now=NOW)
    body = ledger.open_release_body()
    assert body is not None
    ledger.close_release(body, outcome="live", now=NOW)
    assert ledger.open_release_body() is None
    assert [(one["release_id"], one["outcome"]) for one in ledger.releases()] == [("000001", "live")]


def test_closing_a_release_twice_leaves_the_next_one_open(ledger: Ledger) -> None:
    ledger.open_release(RECORD, FACTS, now=NOW)
    body = ledger.open_release_body()
    assert body is not None
    ledger.close_release(body, outcome="live", now=NOW)
    ledger.open_release(replace(RECORD, release_id="000002"), FACTS, now=NOW)
    ledger.close_release(body, outcome="live", now=NOW)
    still = ledger.open_release_body()
    assert still is not None
    assert still["release_id"] == "000002"


def test_the_champion_is_the_one_that_was_crowned_last(ledger: Ledger) -> None:
    assert ledger.champion() is None
    champion = Champion("000001", "arn:package/1", "s3://m", "repo", "s3://r", "s3://p", 0.1, "2013")
    ledger.crown(champion)
    ledger.crown(replace(champion, release_id="000002"))
    assert ledger.champion() == replace(champion, release_id="000002")


def test_more_decisions_than_fit_on_a_page_are_all_read(ledger: Ledger) -> None:
    large = replace(SKIP, reasons=("x" * 300_000,))
    for number in range(5):
        ledger.record(large, subject=f"run-{number}", now=NOW)
    assert len(ledger.decisions()) == 5


def test_the_ledger_asks_nothing_of_its_table_but_pk_and_sk(ledger: Ledger) -> None:
    claim(ledger, PLAN)
    settle(ledger)
    items = boto3.client("dynamodb").scan(TableName="ledger")["Items"]
    assert {item["pk"]["S"] for item in items} == {"RUN", "BUDGET"}


def test_a_release_that_was_held_serves_since_then_and_not_since_it_was_proved(local: Local) -> None:
    body = {"release_id": "000001", "package_arn": "p", "opened_at": "2013-03-01T00:00:00Z"}
    local.ledger.close_release(body, outcome="held", now=NOW)
    held = local.ledger.held_release()
    assert held is not None
    local.ledger.close_release(held, outcome="live", now=NOW + timedelta(hours=3))
    [kept] = local.ledger.releases()
    assert (kept["closed_at"], kept["proved_at"]) == (iso(NOW), iso(NOW + timedelta(hours=3)))
