from __future__ import annotations

from typing import Any

import pytest

from domain.delivery import judge_wait

RUN_ID = "run-0123456789abcdef"
RUN: dict[str, Any] = {"plan": {"run_id": RUN_ID}, "status": "SETTLED", "outcome": "Succeeded"}
PASSED = {"kind": "gate", "subject": RUN_ID, "verdict": "passed", "reasons": ["better"]}
REFUSED = {"kind": "gate", "subject": RUN_ID, "verdict": "refused", "reasons": ["3% worse than the champion"]}
PACKAGE = "arn:p/1"


def release(outcome: str, run_id: str = RUN_ID) -> dict[str, Any]:
    report = f"s3://artefacts/runs/{run_id}/report/report.json"
    return {"release_id": "000001", "package_arn": PACKAGE, "report_uri": report, "outcome": outcome}


def test_a_release_that_is_live_lets_the_push_go_on() -> None:
    decision = judge_wait(RUN, [PASSED], [release("live")])
    assert (decision.verdict, decision.rule) == ("approved", "live")


def test_a_release_on_hold_lets_the_push_wait() -> None:
    """It serves, so the push has not failed; it is not proved, so neither has it ended well."""
    decision = judge_wait(RUN, [PASSED], [release("held")])
    assert (decision.verdict, decision.rule) == ("wait", "held")
    assert decision.reasons == ("release 000001 serves and has not proved itself yet",)


def test_a_release_that_met_a_busy_stack_comes_again_and_the_push_waits_for_it() -> None:
    assert judge_wait(RUN, [PASSED], [release("not-started")]).verdict == "wait"
    assert judge_wait(RUN, [PASSED], [release("not-started"), release("live")]).verdict == "approved"


def test_a_release_that_rolled_back_and_goes_again_lets_the_push_wait() -> None:
    decision = judge_wait(RUN, [PASSED], [release("rolled-back")], [PACKAGE])
    assert (decision.verdict, decision.rule) == ("wait", "releasing")


def test_a_release_that_rolled_back_fails_the_push_with_its_reason() -> None:
    failed = {
        "kind": "release",
        "subject": f"000001/{PACKAGE}",
        "verdict": "failed",
        "reasons": ["the endpoint runs another model"],
    }
    decision = judge_wait(RUN, [PASSED, failed], [release("failed")])
    assert decision.verdict == "rejected"
    assert "the endpoint runs another model" in decision.reasons


def test_a_model_that_the_gate_refused_fails_the_push_with_the_gate_s_reason() -> None:
    decision = judge_wait(RUN, [REFUSED], [])
    assert (decision.verdict, decision.rule) == ("rejected", "no-model")
    assert "3% worse than the champion" in decision.reasons


def test_a_run_that_failed_fails_the_push() -> None:
    failed = {
        "kind": "gate",
        "subject": RUN_ID,
        "verdict": "none",
        "reasons": ["the pipeline is Failed: boom"],
    }
    decision = judge_wait({**RUN, "outcome": "Failed"}, [failed], [])
    assert decision.verdict == "rejected"
    assert "the pipeline is Failed: boom" in decision.reasons


@pytest.mark.parametrize("status", ["CLAIMED", "STARTED"])
def test_a_run_in_training_lets_the_push_wait(status: str) -> None:
    assert judge_wait({**RUN, "status": status}, [], []).verdict == "wait"


def test_a_model_that_passed_lets_the_push_wait_for_a_person() -> None:
    assert judge_wait(RUN, [PASSED], []).verdict == "wait"


def test_the_release_of_another_run_is_no_answer() -> None:
    assert judge_wait(RUN, [PASSED], [release("live", "run-ffffffffffffffff")]).verdict == "wait"


def test_a_run_that_the_ledger_does_not_hold_fails_the_push() -> None:
    assert judge_wait(None, [], []).rule == "no-run"


def skipped(rule: str, reason: str) -> dict[str, Any]:
    inputs = {"package": PACKAGE, "report": f"s3://artefacts/runs/{RUN_ID}/report/report.json"}
    return {
        "kind": "release",
        "subject": PACKAGE,
        "verdict": "skip",
        "rule": rule,
        "reasons": [reason],
        "inputs": inputs,
    }


OVERTAKEN = skipped("overtaken", "tideline-dev/8 was approved later")


@pytest.mark.parametrize(
    "ended", [OVERTAKEN, skipped("not-approved-any-more", "tideline-dev/7 is Rejected by now")]
)
def test_a_package_that_waited_and_is_not_released_fails_the_push_with_the_reason(
    ended: dict[str, Any],
) -> None:
    decision = judge_wait(RUN, [PASSED, ended], [])
    assert (decision.verdict, decision.rule) == ("rejected", ended["rule"])
    assert ended["reasons"][0] in decision.reasons


def test_a_package_that_was_overtaken_and_is_under_way_again_lets_the_push_wait() -> None:
    assert judge_wait(RUN, [PASSED, OVERTAKEN], [], {PACKAGE}).verdict == "wait"
    assert judge_wait(RUN, [PASSED, OVERTAKEN], [release("live")]).verdict == "approved"


def test_what_another_run_was_skipped_for_is_no_answer() -> None:
    other = {
        **OVERTAKEN,
        "inputs": {"package": "arn:p/2", "report": "s3://artefacts/runs/run-f/report/r.json"},
    }
    assert judge_wait(RUN, [PASSED, other], []).verdict == "wait"


def test_a_skip_for_a_pause_lets_the_push_wait_for_the_approval_after_it() -> None:
    assert judge_wait(RUN, [PASSED, skipped("paused", "somebody paused it")], []).verdict == "wait"


def test_a_package_that_is_live_already_has_a_live_release_and_lets_the_push_go_on() -> None:
    again = skipped("already-live", "tideline-dev/7 is what the endpoint runs")
    assert judge_wait(RUN, [PASSED, again], [release("live")]).verdict == "approved"


def test_a_release_on_hold_that_another_one_replaced_fails_the_push() -> None:
    """It will never prove itself: nobody asks it any more."""
    later = {**release("live", "run-f"), "release_id": "000002"}
    decision = judge_wait(RUN, [PASSED], [release("held"), later])
    assert (decision.verdict, decision.rule) == ("rejected", "replaced")
