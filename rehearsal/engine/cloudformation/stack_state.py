"""What CloudFormation remembers of a stack: its resources, its status, its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rehearsal.engine.account import Account
from rehearsal.engine.cloudformation.resources import Place, Properties, ResourceType
from rehearsal.engine.cloudformation.template import Output, Parameter, Template

if TYPE_CHECKING:
    from rehearsal.engine.cloudformation.stack_rollback import Rollback

STACK = "AWS::CloudFormation::Stack"
UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True)
class Deployed:
    """A resource as it was deployed last."""

    kind: type[ResourceType]
    logical_id: str
    physical_id: str
    properties: Properties
    """As the template gives them, resolved."""
    name: str | None
    """Given or generated, for types that have one."""
    attributes: Mapping[str, Any]
    policies: Mapping[str, Any]
    """The template's DeletionPolicy, UpdateReplacePolicy and Metadata."""
    changed_at: datetime

    def resource(self, account: Account, stack: str) -> ResourceType:
        place = Place(account, stack, self.logical_id)
        return self.kind(place, self.named_properties, self.physical_id)

    @property
    def named_properties(self) -> Properties:
        if self.kind.names_itself is None:
            return self.properties
        return {**self.properties, self.kind.names_itself: self.name}

    def is_kept(self, policy: str) -> bool:
        return str(self.policies.get(policy, "Delete")).startswith("Retain")


@dataclass
class Stack:
    """A stack. `tell` is the one way to change its status."""

    account: Account
    id: str
    name: str
    template: Template
    parameters: dict[str, Parameter]
    tags: dict[str, str]
    role_arn: str | None
    created: datetime
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    updated: datetime | None = None
    protected: bool = False
    capabilities: tuple[str, ...] = ()
    token: str = ""
    resources: dict[str, Deployed] = field(default_factory=dict)
    """In the order in which they were created."""
    outputs: dict[str, Output] = field(default_factory=dict)
    imports: frozenset[str] = frozenset()
    events: list[dict[str, Any]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """What failed in the last operation, and why, by logical id."""
    created_resources: int = 0
    rollback: Rollback | None = None
    """The rollback that got stuck, in UPDATE_ROLLBACK_FAILED."""

    @property
    def exports(self) -> dict[str, str]:
        return {out.export_name: out.value for out in self.outputs.values() if out.export_name}

    def tell(self, status: str, reason: str | None = None) -> None:
        """Take on a status, and let the event log, the journal and EventBridge know."""
        self.status, self.reason = status, reason
        self.log(self.name, self.id, STACK, status, reason)
        facts = {"failures": dict(self.failures)} if self.failures else {}
        self.account.journal.write("stack", stack=self.name, status=status, reason=reason or "", **facts)
        detail = {
            "stack-id": self.id,
            "status-details": {"status": status, "status-reason": reason or ""},
            "client-request-token": self.token,
        }
        self.account.put_event("aws.cloudformation", "CloudFormation Stack Status Change", detail, [self.id])

    def log(
        self, logical_id: str, physical_id: str, kind: str, status: str, reason: str | None = None
    ) -> None:
        """Write a line of DescribeStackEvents."""
        event = {
            "StackId": self.id,
            "EventId": f"{logical_id}-{status}-{len(self.events):06d}",
            "StackName": self.name,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Timestamp": self.account.clock.now(),
            "ResourceStatus": status,
        }
        extra = {"ResourceStatusReason": reason} if reason else {}
        token = {"ClientRequestToken": self.token} if self.token else {}
        self.events.append({**event, **extra, **token})

    def log_resource(self, item: Deployed, status: str, reason: str | None = None) -> None:
        self.log(item.logical_id, item.physical_id, item.kind.type, status, reason)

    def next_name_token(self, logical_id: str) -> str:
        """What makes a generated name unique: no two creations share it."""
        self.created_resources += 1
        return f"{self.id}/{logical_id}/{self.created_resources}"


def with_attributes(deployed: Deployed, resource: ResourceType, now: datetime) -> Deployed:
    """The record after the resource was created or updated."""
    return replace(deployed, physical_id=resource.id, attributes=resource.attributes(), changed_at=now)
