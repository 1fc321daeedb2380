"""A change of instance types where instances scale: the endpoint leaves auto-scaling first, and always comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.lambdas import releasing_world
from tests.lambdas.local import NOW, Local, Scripted, refused
from tests.lambdas.recording_world import Settle, approval, open_release, outcomes
from tests.lambdas.releasing_world import SETTINGS, Approve, Register, Retry, waiting
from tests.lambdas.serving_world import PREFIX, Serving, config_name, endpoint_runs
from tests.lambdas.test_returning import settle as end

Types = Callable[..., None]
OFF, ON = {"Scaling": "off"}, {"Scaling": "on"}


@pytest.fixture(autouse=True)
def people(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releasing_world, "SETTINGS", replace(SETTINGS, topic_arn=local.topic_arn))


@pytest.fixture
def scaling(serving: Serving) -> Serving:
    serving.scaling = "on"
    return serving


@pytest.fixture
def chosen(local: Local) -> Types:
    """The instance types that choose_instance answers from now on."""

    def choose(*types: str) -> None:
        found = [{"instance_type": one} for one in types]
        local.functions["tideline-dev-choose-instance"] = lambda **_: {"candidates": found}

    choose("ml.c5.large")
    return choose


def asked(cloudformation: Scripted) -> list[dict[str, str]]:
    """What each update of Serving changed."""
    return [
        {
            one["ParameterKey"]: one["ParameterValue"]
            for one in update["Parameters"]
            if "ParameterValue" in one
        }
        for update in cloudformation.called("update_stack")
    ]


def release(number: int, before: str = "-") -> dict[str, str]:
    return {"Release": f"{PREFIX}{number:06d}", "ReleaseBefore": before, **ON, "FewestInstances": "1"}


def test_a_model_on_the_same_types_is_one_update_and_the_first_replaces_nothing(
    local: Local,
    approve: Approve,
    register: Register,
    cloudformation: Scripted,
    scaling: Serving,
    chosen: Types,
) -> None:
    approve(register())
    end(local)
    approve(register())
    assert asked(cloudformation) == [release(1), release(2, "000001")]


def test_other_types_are_two_updates_out_of_scaling_and_back_with_the_release(
    local: Local,
    approve: Approve,
    register: Register,
    retry: Retry,
    cloudformation: Scripted,
    scaling: Serving,
    chosen: Types,
) -> None:
    approve(register())
    end(local)
    chosen("ml.m5.large", "ml.c5.large")
    second = register()
    assert approve(second) == {"release_id": "000002", "package": second}
    assert asked(cloudformation)[1:] == [OFF]
    opened = local.ledger.open_release_body()
    assert opened is not None
    assert "is_started" not in opened
    assert waiting(local) == [second]
    assert retry() == {"release_id": "000002", "package": second}
    assert asked(cloudformation)[1:] == [OFF, release(2, "000001")]
    assert waiting(local) == []
    assert ("stop-scaling", "instance-types-change") in local.decisions("release")


def test_an_approval_that_comes_again_while_the_endpoint_leaves_scaling_changes_nothing(
    local: Local,
    approve: Approve,
    register: Register,
    cloudformation: Scripted,
    scaling: Serving,
    chosen: Types,
) -> None:
    approve(register())
    end(local)
    chosen("ml.m5.large")
    second = register()
    approve(second)
    scaling.error = refused("ValidationError", "Stack is in UPDATE_IN_PROGRESS state and can not be updated.")
    assert approve(second) == {"release_id": "000002", "package": second}
    opened = local.ledger.open_release_body()
    assert opened is not None
    assert (opened["release_id"], opened["stops_scaling"]) == ("000002", True)


def test_where_nothing_scales_other_types_are_one_update(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted, chosen: Types
) -> None:
    approve(register())
    end(local)
    chosen("ml.m5.large")
    approve(register())
    assert [sorted(one) for one in asked(cloudformation)] == [["Release"], ["Release"]]


def test_when_serving_has_left_scaling_the_release_itself_is_asked_for_at_once(
    local: Local, package: str, settle: Settle, scaling: Serving
) -> None:
    body = local.ledger.open_release_body()
    assert body is not None
    local.ledger.close_release(body, outcome="not-started", now=NOW)
    open_release(local, "000003", package, is_started=False)
    scaling.scaling = "off"
    settle()
    assert local.invoked == []
    local.ledger.change_open_release("000003", lambda _: {"stops_scaling": True})
    settle()
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]


def test_a_change_of_types_that_fails_half_way_brings_the_endpoint_back_to_scaling(
    local: Local, package: str, settle: Settle, scaling: Serving
) -> None:
    """CloudFormation goes back to what the first update left: the old release, out of scaling."""
    endpoint_runs("000001", run=1)
    scaling.release, scaling.scaling = f"{PREFIX}000001", "off"
    scaling.failures = ["Unable to provision requested ML compute capacity"]
    assert settle("UPDATE_ROLLBACK_COMPLETE")["rule"] == "no-room"
    assert approval(package) == "Approved"
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]


def test_an_endpoint_out_of_scaling_for_nothing_comes_back_once_a_day_and_then_people_are_told(
    local: Local,
    approve: Approve,
    register: Register,
    retry: Retry,
    cloudformation: Scripted,
    scaling: Serving,
    chosen: Types,
) -> None:
    approve(register())
    end(local)
    scaling.scaling = "off"
    assert retry()["verdict"] == "scale-again"
    assert asked(cloudformation)[1:] == [ON]
    assert retry() == {"verdict": "nothing-waits"}
    scaling.scaling = "off"  # it failed, and went back
    assert retry()["verdict"] == "page"
    assert retry()["verdict"] == "page"
    (told,) = local.messages()
    assert "could not come back today" in told
    local.at(NOW + timedelta(days=1))
    assert retry()["verdict"] == "scale-again"


def test_an_endpoint_out_of_scaling_comes_back_though_what_waits_is_not_released(
    local: Local,
    approve: Approve,
    register: Register,
    retry: Retry,
    cloudformation: Scripted,
    scaling: Serving,
    chosen: Types,
) -> None:
    approve(register())
    end(local)
    scaling.scaling = "off"
    package = register()
    local.ledger.let_wait(package, because="it waited", now=NOW)
    local.pause(True)
    assert retry()["rule"] == "paused"
    assert asked(cloudformation)[1:] == [ON]


@pytest.mark.parametrize(
    "said",
    [
        'The variant(s) "["live"]" must be deregistered as scalable targets with AWS Auto Scaling before',
        "User is not authorized to perform: application-autoscaling:RegisterScalableTarget",
    ],
)
def test_what_auto_scaling_refuses_says_nothing_of_the_model(
    local: Local, package: str, settle: Settle, scaling: Serving, said: str
) -> None:
    endpoint_runs("000001", run=1)
    scaling.release, scaling.failures = f"{PREFIX}000001", [said]
    assert settle("UPDATE_ROLLBACK_COMPLETE")["rule"] == "not-scaled"
    assert approval(package) == "Approved"
    assert outcomes(local) == [("000002", "rolled-back")]
    assert waiting(local) == []


def test_a_release_that_met_a_change_of_the_number_of_instances_goes_again_by_itself_later(
    local: Local, package: str, settle: Settle, scaling: Serving
) -> None:
    endpoint_runs("000001", run=1)
    scaling.release = f"{PREFIX}000001"
    scaling.failures = ['Cannot update in-progress endpoint "arn:aws:sagemaker:us-east-1:1:endpoint/x".']
    assert settle("UPDATE_ROLLBACK_COMPLETE")["rule"] == "endpoint-was-scaling"
    assert approval(package) == "Approved"
    assert waiting(local) == [package]
    assert local.invoked == []
    local.at(NOW + timedelta(hours=1))
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]


def test_an_alarm_is_the_model_s_fault_whatever_else_is_said(
    local: Local, package: str, settle: Settle, scaling: Serving
) -> None:
    endpoint_runs("000001", run=1)
    scaling.release, scaling.failures = f"{PREFIX}000001", ["Cannot update in-progress endpoint"]
    alarm: dict[str, Any] = {"alarms": [f"{config_name('000002')}-rollback-latency: 3 datapoints"]}
    local.ledger.change_open_release("000002", lambda _: alarm)
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert approval(package) == "Rejected"
