"""What the CloudFormation tests share: an account, and short ways to deploy a template into it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.engine import Account, services
from rehearsal.engine.cloudformation import stacks

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]


class World:
    """An account; stacks are named by each test, for an account takes a second to start."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.cloudformation = account.client("cloudformation")

    def create(
        self, name: str, resources: dict[str, Any], *, pump: bool = True, **more: Any
    ) -> dict[str, Any]:
        self.cloudformation.create_stack(**self._request(name, resources, more))
        if pump:
            self.account.pump()
        return self.stack(name)

    def update(
        self, name: str, resources: dict[str, Any], *, pump: bool = True, **more: Any
    ) -> dict[str, Any]:
        self.cloudformation.update_stack(**self._request(name, resources, more))
        if pump:
            self.account.pump()
        return self.stack(name)

    def delete(self, name: str) -> dict[str, Any]:
        stack_id = self.stack(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name)
        self.account.pump()
        return self.stack(stack_id)

    def _request(self, name: str, resources: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        """Template sections and request members, told apart by where they belong; Slots are the declared parameters."""
        names = ("Conditions", "Mappings", "Outputs", "Rules")
        sections = {key: more.pop(key) for key in names if key in more}
        sections["Parameters"] = more.pop("Slots", {})
        body = json.dumps({"Resources": resources, **sections})
        return {"StackName": name, "TemplateBody": body, "Capabilities": CAPABILITIES, **more}

    def stack(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def physical(self, name: str) -> dict[str, str]:
        rows = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}

    def reasons(self, name: str) -> dict[str, str]:
        """Why resources failed, by logical id."""
        rows = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return {
            row["LogicalResourceId"]: row["ResourceStatusReason"]
            for row in rows
            if row["ResourceStatus"].endswith("_FAILED") and "ResourceStatusReason" in row
        }

    def statuses(self, name: str) -> list[str]:
        return [
            entry.facts["status"]
            for entry in self.account.journal.of("stack")
            if entry.facts["stack"] == name
        ]

    def queue(self, name: str) -> dict[str, str] | None:
        """The attributes of a queue, or None."""
        sqs = self.account.client("sqs")
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist:
            return None
        attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return attributes

    def put(self, key: str, value: str, kind: str = "StringList") -> None:
        self.account.client("ssm").put_parameter(Name=key, Value=value, Type=kind, Overwrite=True)


def queue(name: str | None = None, **properties: Any) -> dict[str, Any]:
    named = {"QueueName": name} if name else {}
    return {"Type": "AWS::SQS::Queue", "Properties": {**named, **properties}}


def impossible() -> dict[str, Any]:
    """A resource that fails when it is made: its role does not exist."""
    properties = {"PolicyName": "p", "PolicyDocument": {"Statement": []}, "Roles": ["nobody"]}
    return {"Type": "AWS::IAM::Policy", "Properties": properties}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "SERVICES", (stacks, *services.SERVICES[1:]))
        with Account(start=START, directory=tmp_path_factory.mktemp("account")) as account:
            yield World(account)
