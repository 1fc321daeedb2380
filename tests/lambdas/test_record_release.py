from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from domain.releases import Champion
from domain.settings import RecordReleaseSettings
from lambdas import record_release
from tests.lambdas.local import ACCOUNT, DEPLOYMENT, IMAGE, NOW, Local, Scripted, refused
from tests.lambdas.serving_world import (
    PREFIX,
    SERVING,
    Serving,
    answered,
    config_name,
    endpoint_runs,
    kept,
    make_release,
    model_data,
    record,
)

SETTINGS = RecordReleaseSettings(
    deployment=DEPLOYMENT,
    serving_stack=SERVING,
    endpoint_name=DEPLOYMENT,
    release_prefix=PREFIX,
    ledger_table="ledger",
    topic_arn="",
    release_model_function="tideline-dev-release-model",
    min_requests=10,
    delivery_pipeline="tideline-delivery",
    delivery_stage="dev-Wait",
)
ALARM = f"{config_name('000002')}-rollback-latency"


@pytest.fixture
def serving() -> Serving:
    return Serving()


@pytest.fixture
def cloudformation(local: Local, serving: Serving) -> Scripted:
    local.functions["tideline-dev-release-model"] = lambda **_: {"verdict": "release"}
    return serving.install(local)


@pytest.fixture
def package(local: Local, cloudformation: Scripted, serving: Serving) -> str:
    """A package that is Approved and whose release 000002 is in flight; release 000001 is the champion."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=DEPLOYMENT, ModelPackageGroupDescription="x")
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=DEPLOYMENT,
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data(2)}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    local.ledger.crown(Champion("000001", "arn:p/1", model_data(1), IMAGE, "s3://r", "s3://p", 0.2, "2013"))
    open_release(local, "000002", arn)
    serving.release = f"{PREFIX}000002"
    return arn


def open_release(local: Local, release_id: str, package_arn: str, *, is_started: bool = True) -> None:
    facts = {
        "package_arn": package_arn,
        "report_uri": "s3://artefacts/runs/run-2/report/report.json",
        "profile_uri": "s3://artefacts/runs/run-2/report/profile.json",
        "heldout_loss": 0.125,
    }
    assert local.ledger.open_release(record(release_id, package_arn, run=2), facts, now=NOW)
    body = local.ledger.open_release_body()
    assert body is not None
    local.ledger.change_open_release(body, is_started=is_started)


def no_champion(local: Local) -> None:
    boto3.client("dynamodb").delete_item(
        TableName="ledger", Key={"pk": {"S": "CHAMPION"}, "sk": {"S": "live"}}
    )


def approval(package: str) -> str:
    found = boto3.client("sagemaker").describe_model_package(ModelPackageName=package)
    return str(found["ModelApprovalStatus"])


def outcomes(local: Local) -> list[tuple[str, str]]:
    return [(one["release_id"], one["outcome"]) for one in local.ledger.releases()]


Settle = Callable[..., dict[str, Any]]


@pytest.fixture
def run(local: Local, cloudformation: Scripted) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda event: local.run(record_release, replace(SETTINGS, topic_arn=local.topic_arn), event)


@pytest.fixture
def settle(run: Callable[[dict[str, Any]], dict[str, Any]], serving: Serving) -> Settle:
    def settled(status: str = "UPDATE_COMPLETE") -> dict[str, Any]:
        serving.status = status
        event = {
            "source": "aws.cloudformation",
            "detail-type": "CloudFormation Stack Status Change",
            "detail": {
                "stack-id": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{SERVING}/1-2",
                "status-details": {"status": status},
            },
        }
        return run(event)

    return settled


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


def rollback_alarm(name: str = ALARM) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "detail-type": "CloudWatch Alarm State Change",
        "time": "2013-04-20T13:00:00Z",
        "detail": {
            "alarmName": name,
            "state": {
                "value": "ALARM",
                "reason": "3 datapoints above 250000",
                "timestamp": "2013-04-20T13:00:00.000+0000",
            },
        },
    }


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


@pytest.mark.parametrize("status", ["Updating", "Creating", "RollingBack"])
def test_an_endpoint_that_is_busy_is_judged_later(
    local: Local, package: str, settle: Settle, status: str
) -> None:
    endpoint_runs("000002", run=2)
    answered("000002", 10)
    busy = {
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
    body = local.ledger.open_release_body()
    assert body is not None
    local.ledger.change_open_release(body, is_started=False)
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
