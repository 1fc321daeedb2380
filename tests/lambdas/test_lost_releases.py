"""A release that a dead function, a refused call or a lost write left behind blocks the next for a day at most."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from lambdas import record_release
from lambdas.ledger import Ledger
from lambdas.release_ledger import TRIES
from tests.lambdas.local import NOW, Local
from tests.lambdas.recording_world import (
    ALARM,
    Settle,
    outcomes,
    rollback_alarm,
)
from tests.lambdas.releasing_world import waiting
from tests.lambdas.serving_world import (
    PREFIX,
    Serving,
    answered,
    config_name,
    endpoint_runs,
    make_release,
)

LOOK = {"cause": "reconcile"}


@pytest.fixture
def opened(local: Local, package: str) -> str:
    """Release 000002 was opened, and Serving was never asked for it."""
    local.ledger.change_open_release("000002", lambda _: {"is_started": False})
    endpoint_runs("000001", run=1)
    return package


def test_a_release_that_was_opened_and_not_started_is_asked_for_again_at_the_daily_look(
    local: Local, opened: str, run: Settle, serving: Serving
) -> None:
    serving.release = f"{PREFIX}000001"
    assert run(LOOK)["rule"] == "not-started"
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]
    assert local.messages() == []
    assert ("resume", "not-started") in local.decisions("release")


def test_a_release_whose_start_was_not_noted_is_judged_at_the_daily_look(
    local: Local, opened: str, run: Settle, serving: Serving
) -> None:
    """Serving has it already, however long ago: it is asked for once more, which changes nothing, and judged."""
    boto3.client("sagemaker").delete_endpoint(EndpointName="tideline-dev")
    endpoint_runs("000002", run=2)
    answered("000002", 10)

    def asked(**_: Any) -> dict[str, Any]:
        local.ledger.change_open_release("000002", lambda _: {"is_started": True})
        return {"release_id": "000002"}

    local.functions["tideline-dev-release-model"] = asked
    local.at(NOW + timedelta(days=3))
    assert run(LOOK)["verdict"] == "live"
    assert outcomes(local) == [("000002", "live")]


def test_the_lease_of_a_release_that_nobody_starts_runs_out_and_people_are_told(
    local: Local, opened: str, run: Settle, serving: Serving
) -> None:
    serving.release = f"{PREFIX}000001"
    local.at(NOW + timedelta(hours=24))
    assert run(LOOK)["rule"] == "nothing-in-flight"
    assert outcomes(local) == [("000002", "not-started")]
    assert local.ledger.open_release_body() is None
    assert waiting(local) == [opened]
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]
    (told,) = local.messages()
    assert (
        "release 000002 was opened 24 hours ago and Serving was not asked for it: its lease ran out" in told
    )


def test_an_unstarted_release_is_left_alone_while_paused_or_while_serving_is_busy(
    local: Local, opened: str, run: Settle, serving: Serving
) -> None:
    serving.release = f"{PREFIX}000001"
    local.at(NOW + timedelta(days=2))
    serving.status = "UPDATE_IN_PROGRESS"
    run(LOOK)
    serving.status = "UPDATE_COMPLETE"
    local.pause(True)
    run(LOOK)
    assert local.invoked == []
    assert local.ledger.open_release_body() is not None


def test_two_alarms_at_once_are_both_kept(
    local: Local, package: str, run: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another invocation notes its alarm between this one's reading and writing."""
    other = f"{config_name('000002')}-rollback-5xx"
    read = Ledger.open_release_body
    reads = []

    def overtaken(ledger: Ledger) -> dict[str, Any] | None:
        body = read(ledger)
        reads.append(body)
        if len(reads) == 2:  # between the reading and the writing of the first try
            monkeypatch.setattr(Ledger, "open_release_body", read)
            run(rollback_alarm(other))
        return body

    monkeypatch.setattr(Ledger, "open_release_body", overtaken)
    run(rollback_alarm())
    body = local.ledger.open_release_body()
    assert body is not None
    assert body["alarms"] == [f"{name}: 3 datapoints above 250000" for name in (other, ALARM)]


def test_a_change_that_is_always_overtaken_is_an_error_and_not_a_loss(
    local: Local, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[dict[str, Any]] = []
    monkeypatch.setattr(Ledger, "_put_if", lambda _, **put: tries.append(put))
    with pytest.raises(RuntimeError, match=f"changed by others {TRIES} times"):
        local.ledger.change_open_release("000002", lambda _: {"alarms": ["a"]})
    assert len(tries) == TRIES


def test_an_alarm_noted_while_a_release_is_judged_does_not_keep_its_lease(local: Local, package: str) -> None:
    body = local.ledger.open_release_body()
    assert body is not None
    local.ledger.change_open_release("000002", lambda _: {"alarms": ["latency: red"]})
    local.ledger.close_release(body, outcome="live", now=NOW)
    assert local.ledger.open_release_body() is None


@pytest.fixture
def misnamed(local: Local, package: str, settle: Settle, monkeypatch: pytest.MonkeyPatch) -> str:
    """CloudFormation took a rollback for a success, and the function died between closing and restoring."""
    endpoint_runs("000001", run=1)
    make_release("000002", run=2)

    def dies(*_: Any, **__: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(record_release, "_restore", dies)
        with pytest.raises(MemoryError):
            settle("UPDATE_COMPLETE")
    assert outcomes(local) == [("000002", "rolled-back")]
    assert waiting(local) == []
    return package


def test_serving_that_names_what_does_not_serve_gets_the_champion_anew_at_the_next_look(
    local: Local, misnamed: str, run: Settle
) -> None:
    run(LOOK)
    assert waiting(local) == ["arn:p/1"]
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]


def test_a_champion_that_was_released_anew_and_went_back_too_is_a_matter_for_people(
    local: Local, misnamed: str, run: Settle, serving: Serving
) -> None:
    body = {"release_id": "000003", "package_arn": "arn:p/1", "report_uri": "r"}
    local.ledger.close_release(body, outcome="rolled-back", now=NOW)
    serving.release = f"{PREFIX}000003"
    local.messages()
    run(LOOK)
    run(LOOK)
    assert waiting(local) == []
    (told,) = local.messages()
    assert "Serving names release 000003" in told
    assert "docs/runbooks/rollback.md" in told


def test_serving_that_was_deployed_anew_gets_nothing_by_itself(
    local: Local, package: str, run: Settle, serving: Serving
) -> None:
    local.ledger.close_release(local.ledger.open_release_body() or {}, outcome="live", now=NOW)
    serving.release = f"{PREFIX}none"
    run(LOOK)
    assert waiting(local) == []


def test_no_room_is_told_as_such_and_leaves_the_package_approved(
    local: Local, package: str, settle: Settle, serving: Serving
) -> None:
    endpoint_runs("000001", run=1)
    serving.release = f"{PREFIX}000001"
    serving.failures = ["ResourceLimitExceeded: The account-level service limit 'ml.c5.large' is 0 Instances"]
    assert settle("UPDATE_ROLLBACK_COMPLETE")["rule"] == "no-room"
    assert outcomes(local) == [("000002", "rolled-back")]
    found = boto3.client("sagemaker").describe_model_package(ModelPackageName=package)
    assert found["ModelApprovalStatus"] == "Approved"
    (told,) = local.messages()
    assert "AWS had no room for" in told
    assert "account-level service limit" in told
