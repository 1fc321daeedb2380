from tests.lambdas.local import Local, Scripted, refused
from tests.lambdas.recording_world import ALARM, Settle, approval, open_release, outcomes, rollback_alarm
from tests.lambdas.serving_world import (
    PREFIX,
    SERVING,
    Serving,
    config_name,
    endpoint_runs,
    kept,
    make_release,
)


def test_where_the_endpoint_went_back_the_package_is_rejected_and_people_hear_which_alarm_it_was(
    local: Local, package: str, settle: Settle, run: Settle, serving: Serving
) -> None:
    endpoint_runs("000001", run=1)
    run(rollback_alarm())
    serving.release = f"{PREFIX}000001"
    assert settle("UPDATE_ROLLBACK_COMPLETE")["verdict"] == "rolled-back"
    assert outcomes(local) == [("000002", "rolled-back")]
    assert approval(package) == "Rejected"
    fired, rejected = local.messages()
    assert fired == f"tideline-dev: {ALARM}: 3 datapoints above 250000; SageMaker rolls it back"
    assert rejected == (
        f"tideline-dev: the release of {package} rolled back: the endpoint is InService and runs "
        f"{config_name('000001')}, not 000002; {ALARM}: 3 datapoints above 250000"
    )
    assert local.ledger.waiting() == []


def test_an_alarm_that_flickers_while_its_release_goes_back_is_kept_and_told_once(
    local: Local, package: str, run: Settle
) -> None:
    run(rollback_alarm())
    again = rollback_alarm()
    again["detail"]["state"]["timestamp"] = "2013-04-20T13:05:00.000+0000"
    run(again)
    body = local.ledger.open_release_body()
    assert body is not None
    assert body["alarms"] == [f"{ALARM}: 3 datapoints above 250000"]
    assert len(local.messages()) == 1


def test_an_alarm_of_a_release_that_is_live_already_is_told_and_blamed_on_no_other(
    local: Local, package: str, run: Settle
) -> None:
    run(rollback_alarm(f"{config_name('000001')}-rollback-5xx"))
    assert "it is live already, so nothing goes back by itself" in local.messages()[0]
    body = local.ledger.open_release_body()
    assert body is not None
    assert "alarms" not in body


def test_a_stack_that_took_a_rollback_for_a_success_gets_the_champion_anew(
    local: Local, package: str, settle: Settle
) -> None:
    """Serving still names release 000002: its next update would deploy the model that was rolled back."""
    endpoint_runs("000001", run=1)
    make_release("000002", run=2)
    assert settle("UPDATE_COMPLETE")["verdict"] == "rolled-back"
    assert approval(package) == "Rejected"
    assert [one["package_arn"] for one in local.ledger.waiting()] == ["arn:p/1"]
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]
    assert kept() == {"configs": [config_name("000001")], "models": [config_name("000001")]}


def test_without_an_endpoint_the_release_failed(local: Local, package: str, settle: Settle) -> None:
    assert settle("UPDATE_ROLLBACK_COMPLETE")["verdict"] == "failed"
    assert "the endpoint is Absent" in local.messages()[0]


def test_a_failure_that_was_told_is_not_told_again_when_the_handler_died_before_closing(
    local: Local, package: str, settle: Settle
) -> None:
    settle("UPDATE_ROLLBACK_COMPLETE")
    open_release(local, "000002", package)
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert len(local.messages()) == 1


def test_a_rollback_that_failed_goes_on_without_the_endpoint_where_the_champion_serves(
    local: Local, package: str, settle: Settle, cloudformation: Scripted
) -> None:
    endpoint_runs("000001", run=1)
    assert settle("UPDATE_ROLLBACK_FAILED")["verdict"] == "continue-rollback"
    (asked,) = cloudformation.called("continue_update_rollback")
    assert asked == {"StackName": SERVING, "ResourcesToSkip": ["Endpoint"]}
    assert local.ledger.open_release_body() is not None
    assert local.messages() == []
    assert settle("UPDATE_ROLLBACK_COMPLETE")["verdict"] == "rolled-back"


def test_a_rollback_that_failed_again_is_a_matter_for_people(
    local: Local, package: str, settle: Settle, cloudformation: Scripted
) -> None:
    endpoint_runs("000001", run=1)
    settle("UPDATE_ROLLBACK_FAILED")
    assert settle("UPDATE_ROLLBACK_FAILED")["rule"] == "rollback-failed-again"
    assert len(cloudformation.called("continue_update_rollback")) == 1
    assert "docs/runbooks/rollback.md" in local.messages()[0]


def test_a_rollback_that_failed_while_the_champion_does_not_serve_is_left_alone_and_people_are_called(
    local: Local, package: str, settle: Settle, cloudformation: Scripted
) -> None:
    endpoint_runs("000002", run=2)
    assert settle("UPDATE_ROLLBACK_FAILED")["rule"] == "old-release-does-not-serve"
    assert cloudformation.called("continue_update_rollback") == []
    assert "the rollback of Serving failed" in local.messages()[0]


def test_a_rollback_that_cloudformation_will_not_continue_is_told(
    local: Local, package: str, settle: Settle, serving: Serving
) -> None:
    endpoint_runs("000001", run=1)
    serving.error = refused("ValidationError", "Endpoint is not in UPDATE_FAILED")
    assert settle("UPDATE_ROLLBACK_FAILED")["rule"] == "rollback-cannot-continue"
    assert "not in UPDATE_FAILED" in local.messages()[0]
