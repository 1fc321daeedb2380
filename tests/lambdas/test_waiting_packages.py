from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from domain.releases import Champion
from lambdas.ledger import Ledger
from tests.lambdas.local import IMAGE, NOW, Local, refused
from tests.lambdas.releasing_world import Approve, Register, Retry, close, judge_in_registry, waiting
from tests.lambdas.serving_world import Serving


def two_wait(local: Local, approve: Approve, register: Register, serving: Serving) -> tuple[str, str]:
    """Two packages that were approved a minute apart while Serving takes no update."""
    serving.status = "UPDATE_IN_PROGRESS"
    first, second = register(), register()
    approve(first)
    local.at(NOW + timedelta(minutes=1))
    approve(second)
    return first, second


def test_another_approval_waits_while_a_release_is_in_flight_and_goes_next(
    local: Local, approve: Approve, register: Register, retry: Retry
) -> None:
    approve(register())
    second = register()
    assert approve(second)["rule"] == "release-in-flight"
    assert waiting(local) == [second]
    close(local, "live")
    assert retry()["release_id"] == "000002"
    assert waiting(local) == []
    assert retry() == {"verdict": "nothing-waits"}


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"])
def test_nothing_is_opened_while_serving_takes_no_update(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry, status: str
) -> None:
    package = register()
    serving.status = status
    assert approve(package)["rule"] == "stack-busy"
    assert local.ledger.open_release_body() is None
    serving.status = "UPDATE_COMPLETE"
    assert retry()["release_id"] == "000001"


def test_a_deploy_that_came_first_is_not_taken_for_this_release(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    """Between the look at the stack and the update somebody's `cdk deploy` took it."""
    package = register()
    busy = "Stack:arn:... is in UPDATE_IN_PROGRESS state and can not be updated."
    serving.error = refused("ValidationError", busy)
    assert approve(package)["verdict"] == "wait"
    assert local.ledger.open_release_body() is None
    assert [one["outcome"] for one in local.ledger.releases()] == ["not-started"]
    assert waiting(local) == [package]
    serving.error = None
    assert retry()["release_id"] == "000002"


def test_of_several_that_wait_the_one_approved_last_goes(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    serving.status = "UPDATE_IN_PROGRESS"
    first, second = register(), register()
    approve(second)
    local.at(NOW + timedelta(minutes=1))
    approve(first)
    serving.status = "UPDATE_COMPLETE"
    assert retry()["package"] == first
    assert waiting(local) == []
    assert ("skip", "overtaken") in local.decisions("release")


def test_what_waits_goes_on_waiting_while_paused(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    serving.status = "UPDATE_IN_PROGRESS"
    package = register()
    approve(package)
    serving.status = "UPDATE_COMPLETE"
    local.pause(True)
    assert retry()["rule"] == "paused"
    assert waiting(local) == [package]
    local.pause(False)
    assert retry()["release_id"] == "000001"


def test_an_open_release_that_was_not_started_goes_before_all_that_wait(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    first = register()
    serving.error = refused("ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        approve(first)
    serving.error = None
    second = register()
    assert approve(second)["rule"] == "release-in-flight"
    assert retry() == {"release_id": "000001", "package": first}
    assert waiting(local) == [second]


def test_a_package_whose_release_could_not_even_be_opened_waits_for_the_next_look(
    local: Local, approve: Approve, register: Register, retry: Retry
) -> None:
    choose = local.functions["tideline-dev-choose-instance"]

    def fails(**_: Any) -> dict[str, Any]:
        raise RuntimeError("no prices")

    local.functions["tideline-dev-choose-instance"] = fails
    package = register()
    with pytest.raises(RuntimeError, match="no prices"):
        approve(package)
    assert local.ledger.open_release_body() is None
    assert waiting(local) == [package]
    local.functions["tideline-dev-choose-instance"] = choose
    assert retry()["release_id"] == "000001"
    assert waiting(local) == []


@pytest.mark.parametrize("end", ["Rejected", "deleted"])
def test_a_package_that_is_rejected_or_deleted_while_it_waits_is_not_released(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry, end: str
) -> None:
    serving.status = "UPDATE_IN_PROGRESS"
    package = register()
    approve(package)
    if end == "Rejected":
        sagemaker = boto3.client("sagemaker")
        sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Rejected")
    else:
        local.script("sagemaker", describe_model_package=_gone)
    serving.status = "UPDATE_COMPLETE"
    assert retry()["rule"] == "not-approved-any-more"
    assert waiting(local) == []


def _gone(**_: Any) -> dict[str, Any]:
    raise refused("ValidationException", "ModelPackage arn does not exist.")


def test_what_serves_is_released_anew_whatever_the_registry_says_of_it(
    local: Local, approve: Approve, register: Register, retry: Retry
) -> None:
    """It serves; without that, Serving's next update would deploy what was rolled back."""
    package = register()
    local.ledger.crown(Champion("000001", package, "s3://m", IMAGE, "s3://r", "s3://p", 0.1, "2013"))
    judge_in_registry(package, "Rejected")
    local.ledger.let_wait(package, because="Serving names another release", now=NOW)
    assert retry()["package"] == package


def test_an_overtaken_package_names_the_report_of_its_run(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    """By it the push that waits for this run hears that its model is not released."""
    first, _second = two_wait(local, approve, register, serving)
    serving.status = "UPDATE_COMPLETE"
    retry()
    (overtaken,) = [one for one in local.ledger.decisions() if one["rule"] == "overtaken"]
    report = "s3://artefacts/runs/run-0/report/report.json"
    assert overtaken["inputs"] == {"package": first, "report": report}


def test_of_two_invocations_with_one_package_the_later_leaves_it_to_the_other(
    local: Local, approve: Approve, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Ledger.open_release

    def slower(ledger: Ledger, *given: Any, **named: Any) -> bool:
        monkeypatch.setattr(Ledger, "open_release", opened)
        approve(package)
        return opened(ledger, *given, **named)

    package = register()
    monkeypatch.setattr(Ledger, "open_release", slower)
    assert approve(package) == {"release_id": "000001", "package": package}
    assert waiting(local) == []


def test_a_package_that_waits_and_is_approved_again_is_the_one_approved_last(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    serving.status = "UPDATE_IN_PROGRESS"
    first, second = register(), register()
    for minutes, package in enumerate((first, second, first)):
        local.at(NOW + timedelta(minutes=minutes))
        approve(package)
    serving.status = "UPDATE_COMPLETE"
    assert retry()["package"] == first


def test_an_approval_that_is_delivered_again_does_not_make_its_package_the_last(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    first, second = two_wait(local, approve, register, serving)
    local.at(NOW)  # the event's own time is the same again
    approve(first)
    serving.status = "UPDATE_COMPLETE"
    assert retry()["package"] == second


def test_an_overtaken_package_does_not_come_back_by_the_event_of_its_approval(
    local: Local, approve: Approve, register: Register, serving: Serving, retry: Retry
) -> None:
    first, _second = two_wait(local, approve, register, serving)
    serving.status = "UPDATE_COMPLETE"
    retry()
    local.at(NOW)
    assert approve(first)["rule"] == "approval-handled"
    assert waiting(local) == []


@pytest.mark.parametrize(
    ("outcome", "then"), [("live", "overtaken"), ("held", "overtaken"), ("rolled-back", "")]
)
def test_an_approval_that_arrives_after_a_later_one_was_released_gives_way_if_that_one_stays(
    local: Local, approve: Approve, register: Register, retry: Retry, outcome: str, then: str
) -> None:
    """Events come in any order: what counts is which package was approved last."""
    first, second = register(), register()
    local.at(NOW + timedelta(seconds=2))
    approve(second)
    local.at(NOW + timedelta(seconds=1))
    assert approve(first)["rule"] == "release-in-flight"
    close(local, outcome)
    answer = retry()
    assert answer.get("rule", "") == then
    assert waiting(local) == []
    assert (local.ledger.open_release_body() is None) == bool(then)
