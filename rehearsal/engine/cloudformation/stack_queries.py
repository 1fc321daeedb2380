"""What CloudFormation's API tells of stacks, their resources, events, templates and exports."""

from __future__ import annotations

from rehearsal.engine.cloudformation.stack_requests import Request
from rehearsal.engine.cloudformation.stack_store import StackStore
from rehearsal.engine.cloudformation.stack_views import described, resource_view, summary
from rehearsal.engine.moto_seams import cloudformation as seam


class StackQueries:
    """The API's handlers that change nothing."""

    def __init__(self, store: StackStore) -> None:
        self._store = store

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
