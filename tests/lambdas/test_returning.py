"""What serves is rejected: the release that was live before it comes again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from domain.decision import Decision
from domain.delivery import judge_wait
from domain.judging import NO_ROOM
from domain.releases import Champion, ReleaseRecord
from domain.returning import Rejected, is_tried_again
from tests.lambdas import releasing_world
from tests.lambdas.local import IMAGE, NOW, Local, Scripted
from tests.lambdas.releasing_world import SETTINGS, Approve, Register, Retry, close, parameter, waiting
from tests.lambdas.serving_world import Serving


@pytest.fixture(autouse=True)
def people(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic that the function is told."""
    monkeypatch.setattr(releasing_world, "SETTINGS", replace(SETTINGS, topic_arn=local.topic_arn))


def serve(local: Local, approve: Approve, package: str, outcome: str = "live") -> None:
    """Release a package, and let its release end so."""
    approve(package)
    settle(local, outcome)


def settle(local: Local, outcome: str = "live") -> None:
    """Let the release in flight end so."""
    body = local.ledger.open_release_body()
    assert body is not None
    if outcome == "live":
        local.ledger.crown(
            Champion(
                release_id=body["release_id"], package_arn=body["package_arn"], model_data="m", image=IMAGE,
                report_uri="r", profile_uri="f", heldout_loss=0.1, since="2013-04-22T13:16:00Z",
            )
        )  # fmt: skip
    close(local, outcome)


def two_live(local: Local, approve: Approve, register: Register) -> tuple[str, str]:
    """Two packages that went live one after the other."""
    first, second = register(), register()
    serve(local, approve, first)
    serve(local, approve, second)
    return first, second


def test_the_release_that_was_live_before_comes_again_under_a_new_id(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second = two_live(local, approve, register)
    assert reject(second) == {"release_id": "000003", "package": first}
    assert ReleaseRecord.from_parameter(parameter("000003")).package_arn == first
    assert ("return", "serving-one-rejected") in local.decisions("release")


def test_a_rejection_that_comes_twice_makes_one_release(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second = two_live(local, approve, register)
    assert reject(second) == reject(second) == {"release_id": "000003", "package": first}


def test_what_is_rejected_and_does_not_serve_changes_nothing(
    local: Local, approve: Approve, reject: Approve, register: Register, cloudformation: Scripted
) -> None:
    first, second = register(), register()
    serve(local, approve, first)
    serve(local, approve, second, "rolled-back")
    asked = len(cloudformation.called("update_stack"))
    assert reject(second)["rule"] == "rejected-one-does-not-serve"
    assert len(cloudformation.called("update_stack")) == asked
    assert local.messages() == []


def test_a_release_on_hold_that_is_rejected_gives_way_to_the_champion(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second = register(), register()
    serve(local, approve, first)
    serve(local, approve, second, "held")
    assert reject(second)["package"] == first


def test_a_release_that_is_no_longer_approved_is_passed_over(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    packages = [register() for _ in range(3)]
    for package in packages:
        serve(local, approve, package)
    boto3.client("sagemaker").update_model_package(
        ModelPackageArn=packages[1], ModelApprovalStatus="Rejected"
    )
    assert reject(packages[2])["package"] == packages[0]


def test_a_release_whose_artefact_was_changed_since_is_passed_over_and_people_hear_of_it(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    packages = [register() for _ in range(3)]
    for package in packages:
        serve(local, approve, package)
    local.put("s3://artefacts/runs/run-1/model/model.tar.gz", b"evil")
    assert reject(packages[2])["package"] == packages[0]
    (told,) = local.messages()
    assert "the archive is" in told


def test_with_nothing_to_return_to_it_goes_on_serving_and_people_are_told_once(
    local: Local, approve: Approve, reject: Approve, register: Register, cloudformation: Scripted
) -> None:
    only = register()
    serve(local, approve, only)
    asked = len(cloudformation.called("update_stack"))
    assert reject(only)["verdict"] == "page"
    reject(only)
    assert len(cloudformation.called("update_stack")) == asked
    [message] = local.messages()
    assert "goes on serving; approve another version" in message


def test_a_pause_does_not_stop_the_way_back(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second = two_live(local, approve, register)
    local.pause(True)
    assert reject(second)["package"] == first


def test_while_a_release_goes_on_the_way_back_waits_for_its_end(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second, third = register(), register(), register()
    serve(local, approve, first)
    serve(local, approve, second)
    approve(third)
    assert reject(second)["verdict"] == "wait"
    assert waiting(local) == [first]


def test_a_way_back_that_waited_is_not_gone_once_another_release_took_the_rejected_ones_place(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry
) -> None:
    first, second, third = register(), register(), register()
    serve(local, approve, first)
    serve(local, approve, second)
    approve(third)
    reject(second)
    settle(local)
    assert retry()["rule"] == "rejected-one-does-not-serve"
    assert (local.ledger.open_release_body(), waiting(local)) == (None, [])


def test_a_way_back_that_waited_is_gone_if_the_other_release_goes_back(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry
) -> None:
    first, second, third = register(), register(), register()
    serve(local, approve, first)
    serve(local, approve, second)
    approve(third)
    reject(second)
    settle(local, "rolled-back")
    assert retry() == {"release_id": "000004", "package": first}
    assert waiting(local) == []


def test_a_pause_does_not_stop_a_way_back_that_waited(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry, serving: Serving
) -> None:
    first, second = two_live(local, approve, register)
    local.pause(True)
    serving.status = "UPDATE_IN_PROGRESS"
    assert reject(second)["verdict"] == "wait"
    serving.status = "UPDATE_COMPLETE"
    assert retry()["package"] == first


def test_what_waits_approved_goes_before_a_way_back_and_is_not_overtaken_by_it(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry, serving: Serving
) -> None:
    first, second, third = register(), register(), register()
    serve(local, approve, first)
    serve(local, approve, second)
    serving.status = "UPDATE_IN_PROGRESS"
    approve(third)
    reject(second)
    serving.status = "UPDATE_COMPLETE"
    assert retry()["package"] == third
    assert ("skip", "overtaken") not in local.decisions("release")
    settle(local, "rolled-back")
    assert retry()["package"] == first


def test_a_release_that_is_rejected_in_flight_is_gone_back_from_if_it_serves_in_the_end(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry
) -> None:
    first, second = register(), register()
    serve(local, approve, first)
    approve(second)
    assert reject(second)["verdict"] == "wait"
    settle(local)
    assert retry()["package"] == first


def test_a_release_that_is_rejected_in_flight_and_goes_back_by_itself_leaves_nothing_to_do(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry
) -> None:
    first, second = register(), register()
    serve(local, approve, first)
    approve(second)
    reject(second)
    settle(local, "rolled-back")
    assert retry()["rule"] == "rejected-one-does-not-serve"
    assert (local.ledger.open_release_body(), waiting(local)) == (None, [])


def test_what_is_approved_again_while_the_way_back_waits_goes_on_serving(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry, serving: Serving
) -> None:
    _first, second = two_live(local, approve, register)
    serving.status = "UPDATE_IN_PROGRESS"
    reject(second)
    serving.status = "UPDATE_COMPLETE"
    releasing_world.judge_in_registry(second, "Approved")
    assert retry()["rule"] == "approved-since"
    assert waiting(local) == []


def test_one_that_is_rejected_again_after_it_came_back_is_another_case_and_told_as_such(
    local: Local, approve: Approve, reject: Approve, register: Register
) -> None:
    first, second = two_live(local, approve, register)
    for at in (NOW + timedelta(days=1), NOW + timedelta(days=2)):
        local.at(at)
        reject(second)
        reject(second)  # the same event twice
        settle(local)
        local.at(at + timedelta(hours=1))
        serve(local, approve, put_back(second))
    assert local.decisions("release").count(("return", "serving-one-rejected")) == 2
    assert [one["package_arn"] for one in local.ledger.releases()][2:] == [first, second] * 2


def test_a_way_back_for_which_there_was_no_room_is_tried_again(
    local: Local, approve: Approve, reject: Approve, register: Register, retry: Retry
) -> None:
    first, second = two_live(local, approve, register)
    reject(second)
    opened = local.ledger.open_release_body()
    assert opened is not None
    assert opened["in_place_of"] == second
    no_room = Decision("release", "rolled-back", NO_ROOM, ())
    assert is_tried_again(no_room, opened)
    assert not is_tried_again(no_room, {"package_arn": first})
    case = Rejected.of(opened)
    local.ledger.let_wait(
        first, because="no room", now=NOW, in_place_of=case, not_before=NOW + timedelta(hours=1)
    )
    close(local, "rolled-back")
    assert retry() == {"verdict": "nothing-waits"}
    local.at(NOW + timedelta(hours=1))
    assert retry() == {"release_id": "000004", "package": first}


def test_a_package_that_is_rejected_before_it_waited_is_noted_for_the_push_that_waits_for_it(
    local: Local, reject: Approve, register: Register
) -> None:
    package = register()
    assert reject(package)["rule"] == "rejected-one-does-not-serve"
    [noted] = local.ledger.decisions()
    assert (noted["verdict"], noted["rule"]) == ("skip", "not-approved-any-more")
    assert "/runs/run-0/" in noted["inputs"]["report"]
    run = {"plan": {"run_id": "run-0"}, "status": "SETTLED"}
    answer = judge_wait(run, local.ledger.decisions(), [])
    assert (answer.verdict, answer.rule) == ("rejected", "not-approved-any-more")
    assert "was rejected before it was released" in answer.reasons[-1]


def put_back(package: str) -> str:
    releasing_world.judge_in_registry(package, "Approved")
    return package
