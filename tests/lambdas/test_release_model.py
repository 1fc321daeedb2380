import json
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from domain.releases import Champion, ReleaseRecord
from lambdas import release_model
from tests.lambdas.local import IMAGE, NOW, Local, Scripted, refused
from tests.lambdas.releasing_world import SETTINGS, Approve, Register, close, parameter, waiting
from tests.lambdas.serving_world import PREFIX, SERVING, Serving


def test_an_approved_package_becomes_a_record_and_serving_is_pointed_at_it(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    package = register()
    assert approve(package) == {"release_id": "000001", "package": package}
    record = ReleaseRecord.from_parameter(parameter("000001"))
    assert (record.release_id, record.package_arn, record.image) == ("000001", package, IMAGE)
    assert record.model_data == "s3://artefacts/runs/run-0/model/model.tar.gz"
    assert len(record.instance_types) == 3
    (update,) = cloudformation.called("update_stack")
    assert update == {
        "StackName": SERVING,
        "UsePreviousTemplate": True,
        "Parameters": [
            {"ParameterKey": "Release", "ParameterValue": f"{PREFIX}000001"},
            {"ParameterKey": "BootstrapVersion", "UsePreviousValue": True},
        ],
        "ClientRequestToken": "release-000001",
    }
    assert local.decisions("release") == [("release", "approved")]


def test_where_versions_are_compared_serving_is_told_which_one_is_replaced(
    local: Local, approve: Approve, register: Register, serving: Serving, cloudformation: Scripted
) -> None:
    serving.compares_versions = True
    told = []
    for outcome in ("live", "rolled-back", "held", "live"):
        approve(register())
        told.append(cloudformation.called("update_stack")[-1]["Parameters"][-1]["ParameterValue"])
        close(local, outcome)
        if outcome == "live":
            champion = Champion(
                release_id=local.ledger.releases()[-1]["release_id"],
                package_arn="p",
                model_data="m",
                image=IMAGE,
                report_uri="r",
                profile_uri="f",
                heldout_loss=0.1,
                since="2013-04-22T13:16:00Z",
            )
            local.ledger.crown(champion)
    assert told == ["-", "000001", "000001", "000003"]


def test_what_the_champion_will_be_measured_by_is_kept_with_the_open_release(
    local: Local, approve: Approve, register: Register
) -> None:
    approve(register())
    body = local.ledger.open_release_body()
    assert body is not None
    assert body["heldout_loss"] == 0.125
    assert body["profile_uri"] == "s3://artefacts/runs/run-0/report/profile.json"


def test_the_instances_are_asked_for_hosting_with_what_the_config_says(
    local: Local, approve: Approve, register: Register
) -> None:
    approve(register())
    ((name, payload),) = local.invoked
    assert name == "tideline-dev-choose-instance"
    workload = payload["workload"]
    assert (workload["component"], workload["memory_gib"], workload["vcpus"]) == ("Hosting", 4.0, 2)
    assert workload["deadline_minutes"] is None


def test_the_same_approval_twice_is_one_release(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    package = register()
    assert approve(package) == approve(package)
    names = [one["Name"] for one in boto3.client("ssm").describe_parameters()["Parameters"]]
    assert names == [f"{PREFIX}000001"]
    assert len(cloudformation.called("update_stack")) == 1
    assert local.decisions("release") == [("release", "approved")]


def test_an_approval_that_comes_again_while_its_release_is_under_way_does_not_give_it_up(
    local: Local, approve: Approve, register: Register, serving: Serving
) -> None:
    """Whatever a stack in the middle of an update says of its parameters."""
    package = register()
    approve(package)
    serving.status, serving.release = "UPDATE_IN_PROGRESS", f"{PREFIX}none"
    serving.error = refused("ValidationError", "is in UPDATE_IN_PROGRESS state and can not be updated.")
    assert approve(package) == {"release_id": "000001", "package": package}
    assert local.ledger.open_release_body() is not None
    assert waiting(local) == []


def test_an_update_of_our_own_that_is_under_way_already_is_not_given_up(
    local: Local, approve: Approve, register: Register, serving: Serving
) -> None:
    """The handler died after UpdateStack: the stack is busy with this very release."""
    package = register()
    serving.error = refused("ValidationError", "is in UPDATE_IN_PROGRESS state and can not be updated.")
    serving.release = f"{PREFIX}000001"
    assert approve(package)["release_id"] == "000001"
    body = local.ledger.open_release_body()
    assert body is not None
    assert body["is_started"] is True


def test_no_updates_is_success(local: Local, approve: Approve, register: Register, serving: Serving) -> None:
    serving.error = refused("ValidationError", "No updates are to be performed.")
    assert approve(register())["release_id"] == "000001"


def test_any_other_refusal_of_the_update_comes_again_and_is_the_same_release_then(
    local: Local, approve: Approve, register: Register, serving: Serving
) -> None:
    package = register()
    serving.error = refused("ThrottlingException", "Rate exceeded")
    with pytest.raises(Exception, match="Rate exceeded"):
        approve(package)
    serving.error = None
    assert approve(package)["release_id"] == "000001"
    assert ReleaseRecord.from_parameter(parameter("000001")).package_arn == package


def test_a_record_that_an_older_deployment_left_is_never_taken_for_ours(
    approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    left = "000001,s3://old/m.tar.gz,repo@sha256:0,arn:package/0,ml.m5.large,-,-"
    boto3.client("ssm").put_parameter(Name=f"{PREFIX}000001", Value=left, Type="StringList")
    with pytest.raises(RuntimeError, match="a record never changes"):
        approve(register())
    assert parameter("000001") == left
    assert cloudformation.called("update_stack") == []


def test_the_champion_is_released_again_where_serving_was_deployed_anew(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    package = register()
    local.ledger.crown(Champion("000001", package, "s3://m", IMAGE, "s3://r", "s3://p", 0.1, "2013"))
    assert approve(package)["package"] == package
    assert len(cloudformation.called("update_stack")) == 1


def test_the_live_package_is_not_released_again(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted, serving: Serving
) -> None:
    package = register()
    serving.release = f"{PREFIX}000001"
    local.ledger.crown(Champion("000001", package, "s3://m", IMAGE, "s3://r", "s3://p", 0.1, "2013"))
    answer = approve(package)
    assert (answer["verdict"], answer["rule"]) == ("skip", "already-live")
    assert cloudformation.called("update_stack") == []


def test_while_paused_an_approval_changes_nothing(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted
) -> None:
    local.pause(True)
    assert approve(register())["rule"] == "paused"
    assert cloudformation.called("update_stack") == []
    assert local.ledger.open_release_body() is None


def test_a_package_that_failed_may_be_approved_again_as_a_release_of_its_own(
    local: Local, approve: Approve, register: Register
) -> None:
    package = register()
    approve(package)
    close(local, "failed")
    local.at(NOW + timedelta(minutes=1))
    assert approve(package)["release_id"] == "000002"
    assert local.decisions("release") == [("release", "approved")] * 2


def test_a_package_of_another_group_is_an_error_of_the_wiring(local: Local, cloudformation: Scripted) -> None:
    detail = {"ModelPackageGroupName": "x", "ModelApprovalStatus": "Approved", "ModelPackageArn": "arn"}
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "detail": detail,
    }
    with pytest.raises(ValueError, match="allowed: 'tideline-dev'"):
        local.run(release_model, replace(SETTINGS), json.loads(json.dumps(event)))


@pytest.mark.parametrize("end", ["live", "rolled-back"])
def test_the_event_of_an_earlier_approval_that_comes_again_brings_no_older_model_back(
    local: Local, approve: Approve, register: Register, cloudformation: Scripted, end: str
) -> None:
    first, second = register(), register()
    approve(first)
    close(local, end)
    local.at(NOW + timedelta(minutes=1))
    approve(second)
    close(local, "live")
    local.at(NOW)  # the event's own time is the same again
    assert approve(first)["rule"] == "approval-handled"
    assert len(cloudformation.called("update_stack")) == 2


def test_a_release_that_met_a_busy_stack_has_not_answered_its_approval(
    local: Local, approve: Approve, register: Register, serving: Serving
) -> None:
    package = register()
    serving.error = refused("ValidationError", "Stack:arn:... is in UPDATE_IN_PROGRESS state")
    approve(package)
    serving.error = None
    assert approve(package)["release_id"] == "000002"


def test_an_approved_package_whose_description_was_changed_is_not_released_by_that(
    local: Local, register: Register, cloudformation: Scripted
) -> None:
    detail = {
        "ModelPackageGroupName": SETTINGS.model_package_group,
        "ModelApprovalStatus": "Approved",
        "ModelPackageArn": register(),
        "UpdatedModelPackageFields": ["CustomerMetadataProperties"],
    }
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "time": "2013-04-20T13:00:00Z",
        "detail": detail,
    }
    assert local.run(release_model, SETTINGS, event)["rule"] == "another-field-changed"
    assert cloudformation.calls == []
