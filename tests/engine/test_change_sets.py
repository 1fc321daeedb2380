"""Change sets: an update that is planned now and carried out later, with the values of now."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.stack_world import World, queue, world

__all__ = ["world"]

RELEASE = {"Release": {"Type": "AWS::SSM::Parameter::Value<List<String>>", "Default": "/none"}}
KEPT = [{"ParameterKey": "Release", "UsePreviousValue": True}]


def deployed(world: World, name: str) -> dict[str, Any]:
    """A stack with a queue whose timeout is the second item of a list in the parameter store."""
    world.put(f"/{name}", "10,20")
    resources = {"Q": queue(name, VisibilityTimeout={"Fn::Select": [1, {"Ref": "Release"}]})}
    given = [{"ParameterKey": "Release", "ParameterValue": f"/{name}"}]
    return world.create(name, resources, Slots=RELEASE, Parameters=given)


def change_set(world: World, name: str, **more: Any) -> str:
    made = world.cloudformation.create_change_set(
        StackName=name, ChangeSetName="c", UsePreviousTemplate=True, Parameters=KEPT, **more
    )
    return str(made["Id"])


def test_a_list_of_the_parameter_store_is_frozen_in_a_change_set(world: World) -> None:
    deployed(world, "frozen")
    world.put("/frozen", "10,30")
    made = change_set(world, "frozen")
    world.put("/frozen", "10,99")
    told = world.cloudformation.describe_change_set(ChangeSetName=made)
    assert (told["Status"], told["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert told["Parameters"] == [
        {"ParameterKey": "Release", "ParameterValue": "/frozen", "ResolvedValue": "10,30"}
    ]
    assert (world.queue("frozen") or {})["VisibilityTimeout"] == "20"  # nothing happens before it is executed
    world.cloudformation.execute_change_set(ChangeSetName=made)
    world.account.pump()
    assert world.stack("frozen")["StackStatus"] == "UPDATE_COMPLETE"
    assert (world.queue("frozen") or {})["VisibilityTimeout"] == "30"
    with pytest.raises(ClientError, match="does not exist"):
        world.cloudformation.describe_change_set(ChangeSetName=made)


def test_a_change_set_without_changes_fails_and_cannot_be_executed(world: World) -> None:
    deployed(world, "unchanged")
    made = change_set(world, "unchanged")
    told = world.cloudformation.describe_change_set(ChangeSetName="c", StackName="unchanged")
    assert (told["Status"], told["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in told["StatusReason"]
    with pytest.raises(ClientError, match=r"current status of \[FAILED\]"):
        world.cloudformation.execute_change_set(ChangeSetName=made)
    world.cloudformation.delete_change_set(ChangeSetName=made)
    assert change_set(world, "unchanged") != made


def test_an_update_in_between_makes_a_change_set_out_of_date(world: World) -> None:
    deployed(world, "between")
    world.put("/between", "10,30")
    made = change_set(world, "between")
    with pytest.raises(ClientError, match="already exists"):
        change_set(world, "between")
    world.cloudformation.update_stack(StackName="between", UsePreviousTemplate=True, Parameters=KEPT)
    with pytest.raises(ClientError, match="can not be updated"):
        world.cloudformation.execute_change_set(ChangeSetName=made)
    world.account.pump()
    with pytest.raises(ClientError, match=r"current status of \[OBSOLETE\]"):
        world.cloudformation.execute_change_set(ChangeSetName=made)


def test_a_change_set_for_a_stack_that_is_being_updated_is_refused_and_one_for_a_new_stack_is_not_built(
    world: World,
) -> None:
    deployed(world, "busy")
    world.put("/busy", "10,30")
    world.cloudformation.update_stack(StackName="busy", UsePreviousTemplate=True, Parameters=KEPT)
    with pytest.raises(ClientError, match="UPDATE_IN_PROGRESS state and can not be updated"):
        change_set(world, "busy")
    world.account.pump()
    with pytest.raises(ClientError, match="a change set of type CREATE"):
        change_set(world, "busy", ChangeSetType="CREATE")
