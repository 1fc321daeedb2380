"""CloudFormation's API: it checks and answers at once, and carries the work out when the account is pumped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rehearsal.engine.cloudformation import deployed, resource_types, service_role
from rehearsal.engine.cloudformation.change_sets import ChangeSets
from rehearsal.engine.cloudformation.changes import Steps, carry_out
from rehearsal.engine.cloudformation.intrinsics import TemplateError
from rehearsal.engine.cloudformation.stack_operations import Operation, delete_stack, resource_policies
from rehearsal.engine.cloudformation.stack_queries import StackQueries
from rehearsal.engine.cloudformation.stack_requests import (
    Planned,
    Request,
    check_capabilities,
    given_parameters,
    tags_of,
)
from rehearsal.engine.cloudformation.stack_state import UPDATABLE, Stack
from rehearsal.engine.cloudformation.stack_store import StackStore
from rehearsal.engine.cloudformation.template import Parameter, Template
from rehearsal.engine.moto_seams import cloudformation as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

NOTHING_CHANGED = "No updates are to be performed."


class Stacks:
    """The stacks of an account: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.store = StackStore(account)
        self._ssm = account.client("ssm")

    def create(self, request: Request) -> Request:
        name = request["StackName"]
        if any(stack.name == name for stack in self.store.alive()):
            raise seam.error("AlreadyExistsException", f"Stack [{name}] already exists")
        template = Template(self._body(request))
        given = {item["ParameterKey"]: item["ParameterValue"] for item in request.get("Parameters", [])}
        token = hashlib.sha256(f"{name}/{len(self.store.all())}".encode()).hexdigest()
        stack = Stack(
            account=self._account,
            id=f"arn:aws:cloudformation:{self._account.region}:{self._account.id}:stack/{name}/"
            f"{token[:8]}-{token[8:12]}-{token[12:16]}-{token[16:20]}-{token[20:32]}",
            name=name,
            template=template,
            parameters={},
            tags=tags_of(request) or {},
            role_arn=request.get("RoleARN"),
            created=self._account.clock.now(),
            protected=request.get("EnableTerminationProtection", False),
            capabilities=tuple(request.get("Capabilities", [])),
            token=request.get("ClientRequestToken", ""),
        )
        stack.parameters = self._checked(stack, template, given, request)
        self.store.add(stack)
        operation = Operation(self.store, stack, template, stack.parameters)
        self._carry_out(f"create stack {name}", operation.run())
        return {"StackId": stack.id}

    def update(self, request: Request) -> Request:
        planned = self.planned(request)
        if planned is None:
            raise seam.error("ValidationError", NOTHING_CHANGED)
        return self.begin(planned, request.get("ClientRequestToken", ""))

    def planned(self, request: Request) -> Planned | None:
        """The update that is asked for, checked, with its parameters read; None if it would change nothing."""
        stack = self.find(request["StackName"])
        self._check_updatable(stack)
        previous = bool(request.get("UsePreviousTemplate"))
        template = stack.template if previous else Template(self._body(request))
        given, tags = given_parameters(request, stack), tags_of(request)
        role_before, stack.role_arn = stack.role_arn, request.get("RoleARN", stack.role_arn)
        try:
            parameters = self._checked(stack, template, given, request)
            if not self._is_changed(stack, template, parameters, tags):
                return None
            return Planned(stack, template, parameters, tags, stack.role_arn)
        finally:
            stack.role_arn = role_before

    def begin(self, planned: Planned, token: str) -> Request:
        stack = planned.stack
        self._check_updatable(stack)
        stack.role_arn = planned.role_arn
        stack.tags = stack.tags if planned.tags is None else planned.tags
        stack.status, stack.reason = "UPDATE_IN_PROGRESS", None
        stack.updated, stack.token = self.now(), token
        operation = Operation(self.store, stack, planned.template, planned.parameters)
        self._carry_out(f"update stack {stack.name}", operation.run())
        return {"StackId": stack.id}

    def find(self, name: str) -> Stack:
        return self.store.get(name)

    def now(self) -> datetime:
        return self._account.clock.now()

    def _check_updatable(self, stack: Stack) -> None:
        if stack.status not in UPDATABLE:
            raise seam.error(
                "ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            )

    def _carry_out(self, name: str, steps: Steps) -> None:
        self._account.defer(name, partial(carry_out, self._account, name, steps))

    def continue_rollback(self, request: Request) -> Request:
        """Only what a rollback could not take back can be skipped."""
        stack, skipped = self.store.get(request["StackName"]), request.get("ResourcesToSkip", [])
        if stack.status != "UPDATE_ROLLBACK_FAILED" or stack.rollback is None:
            raise seam.error(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and its rollback can not be continued.",
            )
        stuck = [item.old.logical_id for item in stack.rollback.undo]
        others = sorted(set(skipped) - set(stuck))
        if others:
            what = f"ResourcesToSkip {others} did not fail in the rollback; what did is {stuck}"
            raise seam.error("ValidationError", what)
        stack.role_arn = request.get("RoleARN", stack.role_arn)
        stack.status, stack.reason = "UPDATE_ROLLBACK_IN_PROGRESS", None
        stack.token = request.get("ClientRequestToken", "")
        steps = stack.rollback.continue_without(skipped)
        self._carry_out(f"continue the rollback of stack {stack.name}", steps)
        return {}

    def delete(self, request: Request) -> None:
        """Deleting what is not there succeeds, as it does at AWS."""
        found = [stack for stack in self.store.alive() if request["StackName"] in (stack.name, stack.id)]
        for stack in found:
            if stack.protected:
                raise seam.error(
                    "ValidationError",
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled",
                )
            if stack.status.endswith("IN_PROGRESS"):
                raise seam.error(
                    "ValidationError", f"Stack [{stack.id}] cannot be deleted while in status {stack.status}"
                )
            before, stack.status = stack.status, "DELETE_IN_PROGRESS"
            stack.token = request.get("ClientRequestToken", "")
            self._account.defer(f"delete stack {stack.name}", partial(self._delete, stack, before))

    def _delete(self, stack: Stack, before: str) -> None:
        """An export in use cancels the deletion: the stack goes back to the status it had."""
        try:
            self.store.check_exports(stack, {})
        except TemplateError as in_use:
            stack.tell(before, str(in_use))
        else:
            delete_stack(stack)

    def protect(self, request: Request) -> Request:
        stack = self.store.get(request["StackName"])
        stack.protected = request["EnableTerminationProtection"]
        return {"StackId": stack.id}

    def _checked(
        self, stack: Stack, template: Template, given: Mapping[str, str], request: Request
    ) -> dict[str, Parameter]:
        """All that CloudFormation checks before it answers; returns the resolved parameters."""
        service_role.check(self._account, stack.role_arn)
        try:
            parameters = template.parameters(given, partial(self._fetch, stack.role_arn))
            scope = self.store.scope(stack, template, parameters, {}, set())
            template.check_rules(scope)
            template.in_order(scope)
        except TemplateError as error:
            raise seam.error("ValidationError", str(error)) from error
        check_capabilities(template, request)
        resource_types.check(self._account, stack.name, template.resources)
        return parameters

    def _is_changed(
        self,
        stack: Stack,
        template: Template,
        parameters: Mapping[str, Parameter],
        tags: dict[str, str] | None,
    ) -> bool:
        """Whether any resource, output or tag would differ, with every expression resolved."""
        if tags is not None and tags != stack.tags:
            return True
        scope = self.store.scope(stack, template, parameters, stack.resources, set())
        active = template.active(scope)
        if active.keys() != stack.resources.keys():
            return True
        return template.outputs(scope) != stack.outputs or any(
            node["Type"] != stack.resources[name].kind.type
            or scope.value(node.get("Properties", {})) != stack.resources[name].properties
            or resource_policies(node) != stack.resources[name].policies
            for name, node in active.items()
        )

    def _fetch(self, role_arn: str | None, keys: list[str]) -> dict[str, str]:
        """The values of SSM parameters as they are now; CloudFormation never uses an older one."""
        try:
            if keys:
                service_role.require(self._account, role_arn, "ssm", "GetParameters", {"Names": keys})
        except ClientError as refused:
            raise TemplateError(str(refused)) from refused
        found: dict[str, str] = {}
        for start in range(0, len(keys), 10):
            answer = self._ssm.get_parameters(Names=keys[start : start + 10])
            if answer["InvalidParameters"]:
                missing = ", ".join(answer["InvalidParameters"])
                raise TemplateError(
                    f"Unable to fetch parameters [{missing}] from parameter store for this account."
                )
            found |= {item["Name"]: item["Value"] for item in answer["Parameters"]}
        return found

    def _body(self, request: Request) -> str:
        if "TemplateURL" in request:
            bucket, _, key = request["TemplateURL"].split("/", 3)[3].partition("/")
            stored = self._account.client("s3").get_object(Bucket=bucket, Key=key)
            return str(stored["Body"].read().decode())
        if "TemplateBody" not in request:
            raise seam.error("ValidationError", "Either Template URL or Template Body must be specified.")
        return str(request["TemplateBody"])


def install(account: Account) -> None:
    """Let this account's stacks be ours, and its bucket policies admit."""
    stacks = Stacks(account)
    deployed.install(account, stacks.store)
    change_sets, queries = ChangeSets(stacks), StackQueries(stacks.store)
    seam.admit_every_bucket_access(account)
    seam.answer(
        account,
        {
            "CreateStack": stacks.create,
            "UpdateStack": stacks.update,
            "CreateChangeSet": change_sets.create,
            "DescribeChangeSet": change_sets.describe,
            "ExecuteChangeSet": change_sets.execute,
            "DeleteChangeSet": change_sets.delete,
            "ContinueUpdateRollback": stacks.continue_rollback,
            "DeleteStack": stacks.delete,
            "UpdateTerminationProtection": stacks.protect,
            "DescribeStacks": queries.describe,
            "ListStacks": queries.list_stacks,
            "DescribeStackResources": queries.describe_resources,
            "ListStackResources": queries.list_resources,
            "DescribeStackResource": queries.describe_resource,
            "DescribeStackEvents": queries.describe_events,
            "GetTemplate": queries.get_template,
            "ListExports": queries.list_exports,
            "ListImports": queries.list_imports,
        },
    )
