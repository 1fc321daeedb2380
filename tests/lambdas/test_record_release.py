from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.lambdas.local import ACCOUNT, DEPLOYMENT, IMAGE, NOW, Local, Scripted, refused
from tests.lambdas.recording_world import (
    Settle,
    approval,
    no_champion,
    open_release,
    outcomes,
)
from tests.lambdas.serving_world import (
    Serving,
    answered,
    config_name,
    endpoint_runs,
    kept,
    make_release,
    model_data,
)


def test_what_the_endpoint_runs_is_crowned(local: Local, package: str, settle: Settle) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    assert settle()["verdict"] == "live"
    champion = local.ledger.champion()
    assert champion is not None
    assert (champion.package_arn, champion.model_data, champion.image) == (package, model_data(2), IMAGE)
    assert (champion.heldout_loss, champion.since) == (0.125, "2013-04-20T13:00:00Z")
    assert outcomes(local) == [("000002", "live")]
    assert local.ledger.open_release_body() is None
    assert approval(package) == "Approved"
    assert local.messages() == []


def test_a_release_that_was_hardly_asked_serves_but_is_not_champion_until_it_was(
    local: Local, package: str, settle: Settle, run: Settle
) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 9)
    assert settle()["verdict"] == "hold"
    champion = local.ledger.champion()
    assert champion is not None
    assert champion.release_id == "000001"
    assert outcomes(local) == [("000002", "held")]
    assert local.ledger.open_release_body() is None
    assert local.messages() == [
        "tideline-dev: release 000002 serves, but is not champion yet: the endpoint is InService and runs "
        "tideline-dev/1; it answered 9 requests while it was watched; 10 are needed to prove it"
    ]
    local.at(NOW + timedelta(days=1))
    assert run({"cause": "reconcile"})["verdict"] == "hold"
    answered("000002", 1)
    assert run({"cause": "reconcile"})["verdict"] == "live"
    champion = local.ledger.champion()
    assert champion is not None
    assert (champion.release_id, champion.since) == ("000002", "2013-04-20T13:00:00Z")
    assert outcomes(local) == [("000002", "live")]
    assert local.messages() == []


def test_the_first_release_ever_has_nothing_to_be_compared_with(
    local: Local, package: str, settle: Settle
) -> None:
    no_champion(local)
    endpoint_runs("000002", run=2)
    assert settle()["verdict"] == "live"


def test_a_release_on_hold_is_not_champion_after_it_was_replaced(
    local: Local, package: str, settle: Settle, run: Settle
) -> None:
    endpoint_runs("000002", run=2)
    settle()
    open_release(local, "000003", "arn:p/3")
    boto3.client("sagemaker").delete_endpoint(EndpointName=DEPLOYMENT)
    endpoint_runs("000003", run=2)
    answered("000003", 10)
    answered("000002", 10)
    assert settle()["verdict"] == "live"
    assert run({"cause": "reconcile"})["rule"] == "nothing-in-flight"
    champion = local.ledger.champion()
    assert champion is not None
    assert champion.release_id == "000003"


@pytest.mark.parametrize("status", ["Updating", "Creating", "RollingBack"])
def test_an_endpoint_that_is_busy_is_judged_later(
    local: Local, package: str, settle: Settle, status: str
) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    busy: dict[str, Any] = {
        "PendingDeploymentSummary": {"EndpointConfigName": config_name("000002")},
        "EndpointName": DEPLOYMENT,
        "EndpointArn": f"{ACCOUNT}:endpoint/{DEPLOYMENT}",
        "EndpointConfigName": config_name("000002"),
        "EndpointStatus": status,
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
    }
    local.script("sagemaker", describe_endpoint=lambda **_: busy)
    assert settle()["verdict"] == "wait"
    assert local.ledger.open_release_body() is not None
    assert local.decisions("release") == []
    local.script("sagemaker")
    assert settle()["verdict"] == "live"


def test_an_endpoint_whose_instances_only_change_in_number_serves_as_it_did(
    local: Local, package: str, settle: Settle
) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    scaled = {
        "EndpointName": DEPLOYMENT,
        "EndpointArn": f"{ACCOUNT}:endpoint/{DEPLOYMENT}",
        "EndpointConfigName": config_name("000002"),
        "EndpointStatus": "Updating",
        "CreationTime": NOW,
        "LastModifiedTime": NOW,
    }
    local.script("sagemaker", describe_endpoint=lambda **_: scaled)
    assert settle()["verdict"] == "live"


def test_an_endpoint_that_could_not_be_asked_is_not_taken_for_absent(
    local: Local, package: str, settle: Settle
) -> None:
    def throttled(**_: Any) -> dict[str, Any]:
        raise refused("ThrottlingException", "Rate exceeded")

    local.script("sagemaker", describe_endpoint=throttled)
    with pytest.raises(ClientError, match="Rate exceeded"):
        settle()
    assert local.ledger.open_release_body() is not None
    assert approval(package) == "Approved"


def test_the_late_event_of_an_earlier_update_ends_no_release(
    local: Local, package: str, settle: Settle, run: Settle, serving: Serving
) -> None:
    """While Serving is being updated the endpoint still runs the old release; that is no rollback."""
    endpoint_runs("000001", run=1)
    assert settle("UPDATE_IN_PROGRESS")["rule"] == "stack-busy"
    assert local.ledger.open_release_body() is not None
    assert approval(package) == "Approved"


def test_a_release_that_serving_was_not_asked_for_yet_is_not_judged(
    local: Local, package: str, settle: Settle
) -> None:
    endpoint_runs("000001", run=1)
    local.ledger.change_open_release("000002", lambda _: {"is_started": False})
    assert settle()["rule"] == "not-started"
    assert approval(package) == "Approved"


def test_a_release_whose_event_was_lost_is_settled_by_the_daily_look(
    local: Local, package: str, run: Settle
) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    assert run({"cause": "reconcile"})["verdict"] == "live"


def test_a_deploy_of_code_settles_no_release_but_lets_the_next_one_go(local: Local, settle: Settle) -> None:
    local.ledger.let_wait("arn:p/3", because="Serving was busy", now=NOW)
    assert settle()["rule"] == "nothing-in-flight"
    assert local.invoked == [("tideline-dev-release-model", {"cause": "waiting"})]
    assert local.ledger.decisions() == []


def test_nothing_is_released_while_another_release_is_in_flight(
    local: Local, package: str, settle: Settle
) -> None:
    local.ledger.let_wait("arn:p/3", because="Serving was busy", now=NOW)
    settle("UPDATE_IN_PROGRESS")
    assert local.invoked == []


def test_what_nothing_runs_is_collected_and_a_neighbour_s_is_not(
    local: Local, package: str, settle: Settle
) -> None:
    endpoint_runs("000002", run=2)
    make_release("000001", run=1)
    other = f"other-{config_name('000001')}"
    boto3.client("sagemaker").create_model(
        ModelName=other,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/x",
        PrimaryContainer={"Image": IMAGE},
    )
    answered("000002", 10)
    settle()
    assert kept() == {"configs": [config_name("000002")], "models": sorted([other, config_name("000002")])}


def test_what_an_update_makes_while_this_looks_is_not_collected(
    local: Local, package: str, settle: Settle, serving: Serving, cloudformation: Scripted
) -> None:
    """Serving was at rest when it was asked; a deploy begins before the deletions."""
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    at_rest = serving.describe

    def describe_and_begin(**asked: Any) -> dict[str, Any]:
        make_release("000003", run=2)
        return at_rest(**asked)

    cloudformation.answers = {**cloudformation.answers, "describe_stacks": describe_and_begin}
    settle()
    assert config_name("000003") in kept()["configs"]


def test_the_same_event_twice_is_one_verdict(local: Local, package: str, settle: Settle) -> None:
    settle("UPDATE_ROLLBACK_COMPLETE")
    assert settle("UPDATE_ROLLBACK_COMPLETE")["rule"] == "nothing-in-flight"
    assert len(local.messages()) == 1
