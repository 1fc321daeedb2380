from dataclasses import replace

import pytest

from domain.decision import Decision
from domain.judging import (
    Evidence,
    Observed,
    decide_restoring,
    decide_stuck_rollback,
    is_to_be_rejected,
    judge_release,
    runs_in_vain,
)
from domain.releases import ReleaseRecord

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7"
RECORD = ReleaseRecord("000042", "s3://artefacts/m.tar.gz", "repo@sha256:1", PACKAGE, ("ml.c5.large",))
NEW, OLD = "tideline-dev-000042-0123abcd", "tideline-dev-000041-0123abcd"
RUNS_IT = Observed("InService", NEW, NEW, RECORD.model_data, RECORD.image)
WENT_BACK = Observed("InService", OLD, OLD, "s3://old", "repo@sha256:0")
ENOUGH = Evidence(requests=10, min_requests=10, is_first=False)


def judge(observed: Observed, evidence: Evidence = ENOUGH, status: str = "UPDATE_COMPLETE") -> Decision:
    return judge_release(RECORD, observed, evidence, deployment="tideline-dev", stack_status=status)


@pytest.mark.parametrize(
    ("observed", "verdict", "rule"),
    [
        (RUNS_IT, "live", "endpoint-runs-it"),
        (replace(RUNS_IT, model_data="s3://other"), "rolled-back", "endpoint-runs-another"),
        (replace(RUNS_IT, image="repo@sha256:2"), "rolled-back", "endpoint-runs-another"),
        (WENT_BACK, "rolled-back", "endpoint-runs-another"),
        (replace(RUNS_IT, config_name=OLD), "rolled-back", "endpoint-runs-another"),
        (replace(RUNS_IT, endpoint_status="Creating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="Updating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="SystemUpdating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="RollingBack"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="Failed"), "failed", "endpoint-not-in-service"),
        (replace(RUNS_IT, endpoint_status="OutOfService"), "failed", "endpoint-not-in-service"),
        (replace(RUNS_IT, endpoint_status="Deleting"), "failed", "endpoint-not-in-service"),
        (replace(RUNS_IT, endpoint_status="UpdateRollbackFailed"), "failed", "endpoint-not-in-service"),
        (Observed("Absent"), "failed", "endpoint-not-in-service"),
    ],
)
@pytest.mark.parametrize("stack_status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_release_is_judged_by_what_the_endpoint_runs_never_by_the_stack(
    observed: Observed, verdict: str, rule: str, stack_status: str
) -> None:
    decision = judge(observed, status=stack_status)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert decision.inputs["stack_status"] == stack_status
    assert all(decision.reasons)


def test_the_same_model_released_again_is_judged_by_its_own_configuration() -> None:
    """Model data and image are those of the release before; only the configuration tells which one runs."""
    assert judge(replace(RUNS_IT, config_name=OLD)).verdict == "rolled-back"


def test_a_bake_without_traffic_proves_nothing() -> None:
    quiet = replace(ENOUGH, requests=9)
    decision = judge(RUNS_IT, quiet)
    assert (decision.verdict, decision.rule) == ("hold", "too-few-requests")
    assert decision.reasons[1] == "it answered 9 requests while it was watched; 10 are needed to prove it"
    assert judge(RUNS_IT, replace(quiet, is_first=True)).verdict == "live"


def test_a_rollback_names_the_alarm_that_did_it() -> None:
    evidence = replace(ENOUGH, alarms=("tideline-dev-000042-0123abcd-rollback-latency: above 250000",))
    observed = replace(WENT_BACK, failure_reason="an alarm fired")
    assert judge(observed, evidence).reasons == (
        f"the endpoint is InService and runs {OLD}, not 000042",
        "tideline-dev-000042-0123abcd-rollback-latency: above 250000",
        "an alarm fired",
    )


@pytest.mark.parametrize(
    ("observed", "live_release", "tried", "verdict", "rule"),
    [
        (WENT_BACK, "000041", False, "continue-rollback", "old-release-serves"),
        (WENT_BACK, "000041", True, "page", "rollback-failed-again"),
        (WENT_BACK, "000040", False, "page", "old-release-does-not-serve"),
        (WENT_BACK, None, False, "page", "old-release-does-not-serve"),
        (RUNS_IT, "000041", False, "page", "old-release-does-not-serve"),
        (replace(WENT_BACK, endpoint_status="Failed"), "000041", False, "page", "old-release-does-not-serve"),
        (replace(WENT_BACK, endpoint_status="Updating"), "000041", False, "wait", "endpoint-busy"),
    ],
)
def test_a_stuck_stack_goes_on_without_the_endpoint_only_if_that_is_right_already(
    observed: Observed, live_release: str | None, tried: bool, verdict: str, rule: str
) -> None:
    decision = decide_stuck_rollback(
        observed, deployment="tideline-dev", live_release=live_release, tried=tried
    )
    assert (decision.verdict, decision.rule) == (verdict, rule)


CAPACITY = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error."
QUOTA = (
    "ResourceLimitExceeded: The account-level service limit 'ml.c5.large for endpoint usage' is 0 Instances"
)


@pytest.mark.parametrize("said", [CAPACITY, QUOTA])
@pytest.mark.parametrize(
    ("observed", "verdict"), [(WENT_BACK, "rolled-back"), (Observed("Absent"), "failed")]
)
def test_a_release_that_had_no_room_is_said_so_and_is_not_the_model_s_fault(
    observed: Observed, verdict: str, said: str
) -> None:
    decision = judge(observed, replace(ENOUGH, stack_said=(said,)))
    assert (decision.verdict, decision.rule) == (verdict, "no-room")
    assert said in decision.reasons
    assert not is_to_be_rejected(decision, serving=None)
    by_endpoint = judge(replace(observed, failure_reason=said))
    assert by_endpoint.rule == "no-room"


def test_a_model_whose_alarm_fired_is_rejected_whatever_else_was_lacking() -> None:
    evidence = replace(ENOUGH, alarms=("latency: above 250000",), stack_said=(CAPACITY,))
    decision = judge(WENT_BACK, evidence)
    assert decision.rule == "endpoint-runs-another"
    assert is_to_be_rejected(decision, serving="arn:p/6")
    assert not is_to_be_rejected(decision, serving=PACKAGE)


def test_what_the_stack_repeats_of_the_endpoint_s_reason_is_said_once() -> None:
    observed = replace(WENT_BACK, failure_reason="an alarm fired")
    decision = judge(
        observed, replace(ENOUGH, stack_said=("UpdateEndpoint: an alarm fired", "access denied"))
    )
    assert decision.reasons[1:] == ("an alarm fired", "access denied")


def test_neither_a_live_nor_a_held_release_is_rejected() -> None:
    assert not is_to_be_rejected(judge(RUNS_IT), serving=None)
    assert not is_to_be_rejected(judge(RUNS_IT, replace(ENOUGH, requests=0)), serving=None)


@pytest.mark.parametrize(
    ("observed", "named", "serving", "went_back", "verdict"),
    [
        (WENT_BACK, "000042", "000041", False, "restore"),
        (WENT_BACK, "000042", "000041", True, "page"),
        (WENT_BACK, "000041", "000041", False, "none"),
        (WENT_BACK, "000042", None, False, "none"),
        (WENT_BACK, "none", "000041", False, "none"),
        (RUNS_IT, "000042", "000041", False, "none"),
        (replace(WENT_BACK, endpoint_status="Updating"), "000042", "000041", False, "none"),
        (Observed("Absent"), "000042", "000041", False, "none"),
    ],
)
def test_what_serves_is_released_anew_only_where_serving_names_another_release_that_does_not_serve(
    observed: Observed, named: str, serving: str | None, went_back: bool, verdict: str
) -> None:
    decision = decide_restoring(
        observed, deployment="tideline-dev", named=named, serving=serving, went_back=went_back
    )
    assert decision.verdict == verdict
    assert bool(decision.reasons) == (verdict != "none")


@pytest.mark.parametrize(
    ("verdict", "rule", "outcome", "found"),
    [
        ("rolled-back", "endpoint-runs-another", "rolled-back", {"run-7"}),
        ("rolled-back", "no-room", "rolled-back", set()),
        ("rolled-back", "endpoint-runs-another", "live", set()),
        ("live", "endpoint-runs-it", "live", set()),
        ("skip", "not-approved-any-more", None, {"run-7"}),
        ("refuse", "tampered", None, {"run-7"}),
        ("skip", "overtaken", None, set()),
        ("wait", "stack-busy", None, set()),
    ],
)
def test_a_run_was_in_vain_if_its_model_is_at_fault_or_nobody_wants_it(
    verdict: str, rule: str, outcome: str | None, found: set[str]
) -> None:
    report = "s3://artefacts/runs/run-7/report/report.json"
    release = {"package_arn": PACKAGE, "outcome": outcome, "report_uri": report}
    inputs = {"package": PACKAGE} if outcome else {"package": PACKAGE, "report": report}
    decision = {"kind": "release", "verdict": verdict, "rule": rule, "inputs": inputs}
    assert runs_in_vain([decision], [release] if outcome else []) == found
