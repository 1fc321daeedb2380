"""Change sets of stacks that are there, as `cdk deploy` makes and executes them: with the values of their making."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rehearsal.engine.account import Unsupported
from rehearsal.engine.cloudformation.stack_requests import Planned, Request
from rehearsal.engine.cloudformation.stack_views import parameters_view
from rehearsal.engine.moto_seams import cloudformation as seam

if TYPE_CHECKING:
    from rehearsal.engine.cloudformation.stacks import Stacks

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


@dataclass(frozen=True)
class ChangeSet:
    id: str
    name: str
    stack_id: str
    stack_name: str
    created: datetime
    events: int
    """How many the stack had then: with more of them the change set is out of date."""
    planned: Planned | None
    """None where nothing would change."""


class ChangeSets:
    """The change sets that wait to be executed: the API's handlers."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._made = 0
        self._waiting: dict[str, ChangeSet] = {}

    def create(self, request: Request) -> Request:
        """Plan an update now: parameters of the parameter store are read here, and not again."""
        kind, name = request.get("ChangeSetType", "UPDATE"), request["ChangeSetName"]
        if kind != "UPDATE":
            raise Unsupported(
                f"a change set of type {kind}: stacks are created by CreateStack; "
                "build it in rehearsal/engine/cloudformation/change_sets.py"
            )
        stack = self._stacks.find(request["StackName"])
        if any(one.name == name and one.stack_id == stack.id for one in self._waiting.values()):
            raise seam.error("AlreadyExistsException", f"ChangeSet {name} already exists")
        planned = self._stacks.planned(request)
        self._made += 1
        token = hashlib.sha256(f"{stack.id}/{name}/{self._made}".encode()).hexdigest()[:32]
        place = stack.id.partition(":stack/")[0]
        found = ChangeSet(
            f"{place}:changeSet/{name}/{token}",
            name,
            stack.id,
            stack.name,
            self._stacks.now(),
            len(stack.events),
            planned,
        )
        self._waiting[found.id] = found
        return {"Id": found.id, "StackId": stack.id}

    def describe(self, request: Request) -> Request:
        found = self._find(request)
        common = {
            "ChangeSetName": found.name,
            "ChangeSetId": found.id,
            "StackId": found.stack_id,
            "StackName": found.stack_name,
            "CreationTime": found.created,
        }
        if found.planned is None:
            return {
                **common, "Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "StatusReason": NO_CHANGES,
            }  # fmt: skip
        parameters = parameters_view(found.planned.template, found.planned.parameters)
        return {
            **common, "Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "Parameters": parameters,
        }  # fmt: skip

    def execute(self, request: Request) -> Request:
        """Begin the update as it was planned; all change sets of the stack are gone then."""
        found = self._find(request)
        if found.planned is None or found.events != len(found.planned.stack.events):
            status = "OBSOLETE" if found.planned else "FAILED"
            what = f"ChangeSet [{found.id}] cannot be executed in its current status of [{status}]"
            raise seam.error("InvalidChangeSetStatus", what)
        self._stacks.begin(found.planned, request.get("ClientRequestToken", ""))
        self._waiting = {key: one for key, one in self._waiting.items() if one.stack_id != found.stack_id}
        return {}

    def delete(self, request: Request) -> Request:
        self._waiting.pop(self._find(request).id)
        return {}

    def _find(self, request: Request) -> ChangeSet:
        name, stack = request["ChangeSetName"], request.get("StackName")
        for one in self._waiting.values():
            if name == one.id or (name == one.name and stack in (one.stack_name, one.stack_id)):
                return one
        raise seam.error("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")
