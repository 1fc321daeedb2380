"""CloudFormation's API: it checks and answers at once, and carries the work out when the account is pumped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from rehearsal.engine import roles
from rehearsal.engine.cloudformation import resource_types
from rehearsal.engine.cloudformation.changes import Steps, carry_out
from rehearsal.engine.cloudformation.intrinsics import TemplateError
from rehearsal.engine.cloudformation.stack_operations import Operation, delete_stack, resource_policies
from rehearsal.engine.cloudformation.stack_requests import (
    Request,
    check_capabilities,
    given_parameters,
    tags_of,
)
from rehearsal.engine.cloudformation.stack_state import UPDATABLE, Stack
from rehearsal.engine.cloudformation.stack_store import StackStore
from rehearsal.engine.cloudformation.stack_views import described, resource_view, summary
from rehearsal.engine.cloudformation.template import Parameter, Template
from rehearsal.engine.moto_seams import cloudformation as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "cloudformation.amazonaws.com"
NOTHING_CHANGED = "No updates are to be performed."


class Stacks:
    """The stacks of an account: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._store = StackStore(account)
        self._ssm = account.client("ssm")

    def create(self, request: Request) -> Request:
        name = request["StackName"]
        if any(stack.name == name for stack in self._store.alive()):
            raise seam.error("AlreadyExistsException", f"Stack [{name}] already exists")
        template = Template(self._body(request))
        given = {item["ParameterKey"]: item["ParameterValue"] for item in request.get("Parameters", [])}
        token = hashlib.sha256(f"{name}/{len(self._store.all())}".encode()).hexdigest()
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
        self._store.add(stack)
        operation = Operation(self._store, stack, template, stack.parameters)
        self._carry_out(f"create stack {name}", operation.run())
        return {"StackId": stack.id}

    def update(self, request: Request) -> Request:
        stack = self._store.get(request["StackName"])
        if stack.status not in UPDATABLE:
            raise seam.error(
                "ValidationError", f"Stack:{stack.id} is in {stack.status} state and can not be updated."
            )
        previous = bool(request.get("UsePreviousTemplate"))
        template = stack.template if previous else Template(self._body(request))
        given = given_parameters(request, stack)
        stack_before = (stack.role_arn, stack.tags)
        stack.role_arn = request.get("RoleARN", stack.role_arn)
        parameters = self._checked(stack, template, given, request)
        tags = tags_of(request)
        if not self._is_changed(stack, template, parameters, tags):
            stack.role_arn, stack.tags = stack_before
            raise seam.error("ValidationError", NOTHING_CHANGED)
        stack.tags = stack.tags if tags is None else tags
        stack.status, stack.reason = "UPDATE_IN_PROGRESS", None
        stack.updated, stack.token = self._account.clock.now(), request.get("ClientRequestToken", "")
        operation = Operation(self._store, stack, template, parameters)
        self._carry_out(f"update stack {stack.name}", operation.run())
        return {"StackId": stack.id}

    def _carry_out(self, name: str, steps: Steps) -> None:
        self._account.defer(name, partial(carry_out, self._account, name, steps))

    def continue_rollback(self, request: Request) -> Request:
        """Only what a rollback could not take back can be skipped."""
        stack, skipped = self._store.get(request["StackName"]), request.get("ResourcesToSkip", [])
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
        found = [stack for stack in self._store.alive() if request["StackName"] in (stack.name, stack.id)]
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
            self._store.check_exports(stack, {})
        except TemplateError as in_use:
            stack.tell(before, str(in_use))
        else:
            delete_stack(stack)

    def protect(self, request: Request) -> Request:
        stack = self._store.get(request["StackName"])
        stack.protected = request["EnableTerminationProtection"]
        return {"StackId": stack.id}

    def describe(self, request: Request) -> Request:
        name = request.get("StackName")
        stacks = [self._store.get(name)] if name else self._store.alive()
        return {"Stacks": [described(stack) for stack in stacks]}

    def list_stacks(self, request: Request) -> Request:
        wanted = request.get("StackStatusFilter")
        found = [stack for stack in self._store.all() if not wanted or stack.status in wanted]
        return {"StackSummaries": [summary(stack) for stack in found]}

    def describe_resources(self, request: Request) -> Request:
        stack, wanted = self._store.get(request["StackName"]), request.get("LogicalResourceId")
        views = [
            resource_view(stack, item) for name, item in stack.resources.items() if wanted in (None, name)
        ]
        return {"StackResources": views}

    def list_resources(self, request: Request) -> Request:
        stack = self._store.get(request["StackName"])
        views = [resource_view(stack, item) for item in stack.resources.values()]
        return {
            "StackResourceSummaries": [{**view, "LastUpdatedTimestamp": view["Timestamp"]} for view in views]
        }

    def describe_resource(self, request: Request) -> Request:
        stack, name = self._store.get(request["StackName"]), request["LogicalResourceId"]
        if name not in stack.resources:
            raise seam.error("ValidationError", f"Resource {name} does not exist for stack {stack.name}")
        view = resource_view(stack, stack.resources[name])
        return {"StackResourceDetail": {**view, "LastUpdatedTimestamp": view["Timestamp"]}}

    def describe_events(self, request: Request) -> Request:
        return {"StackEvents": list(reversed(self._store.get(request["StackName"]).events))}

    def get_template(self, request: Request) -> Request:
        return {
            "TemplateBody": self._store.get(request["StackName"]).template.body,
            "StagesAvailable": ["Original"],
        }

    def list_exports(self, _: Request) -> Request:
        exports = [
            {"ExportingStackId": stack.id, "Name": name, "Value": value}
            for stack in self._store.alive()
            for name, value in stack.exports.items()
        ]
        return {"Exports": exports}

    def list_imports(self, request: Request) -> Request:
        users = self._store.users(request["ExportName"])
        if not users:
            raise seam.error(
                "ValidationError", f"Export '{request['ExportName']}' is not imported by any stack."
            )
        return {"Imports": users}

    def _checked(
        self, stack: Stack, template: Template, given: Mapping[str, str], request: Request
    ) -> dict[str, Parameter]:
        """All that CloudFormation checks before it answers; returns the resolved parameters."""
        try:
            parameters = template.parameters(given, self._fetch)
            scope = self._store.scope(stack, template, parameters, {}, set())
            template.check_rules(scope)
            template.in_order(scope)
        except TemplateError as error:
            raise seam.error("ValidationError", str(error)) from error
        check_capabilities(template, request)
        resource_types.check(self._account, stack.name, template.resources)
        if stack.role_arn:
            try:
                roles.credentials(self._account, stack.role_arn, SERVICE)
            except PermissionError:
                message = f"Role {stack.role_arn} is invalid or cannot be assumed"
                raise seam.error("ValidationError", message) from None
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
        scope = self._store.scope(stack, template, parameters, stack.resources, set())
        active = template.active(scope)
        if active.keys() != stack.resources.keys():
            return True
        return template.outputs(scope) != stack.outputs or any(
            node["Type"] != stack.resources[name].kind.type
            or scope.value(node.get("Properties", {})) != stack.resources[name].properties
            or resource_policies(node) != stack.resources[name].policies
            for name, node in active.items()
        )

    def _fetch(self, keys: list[str]) -> dict[str, str]:
        """The values of SSM parameters as they are now; CloudFormation never uses an older one."""
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
    seam.admit_every_bucket_access(account)
    seam.answer(
        account,
        {
            "CreateStack": stacks.create,
            "UpdateStack": stacks.update,
            "ContinueUpdateRollback": stacks.continue_rollback,
            "DeleteStack": stacks.delete,
            "UpdateTerminationProtection": stacks.protect,
            "DescribeStacks": stacks.describe,
            "ListStacks": stacks.list_stacks,
            "DescribeStackResources": stacks.describe_resources,
            "ListStackResources": stacks.list_resources,
            "DescribeStackResource": stacks.describe_resource,
            "DescribeStackEvents": stacks.describe_events,
            "GetTemplate": stacks.get_template,
            "ListExports": stacks.list_exports,
            "ListImports": stacks.list_imports,
        },
    )
