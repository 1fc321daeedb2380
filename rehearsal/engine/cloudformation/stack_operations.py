"""What CloudFormation does after it has answered: create, update, roll back, clean up, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rehearsal.engine.cloudformation.changes import FAILURES, Steps, change, delete, reason_of, settle
from rehearsal.engine.cloudformation.intrinsics import TemplateError
from rehearsal.engine.cloudformation.resource_types import kind_of
from rehearsal.engine.cloudformation.resources import Place, ResourceFailed, ResourceType
from rehearsal.engine.cloudformation.stack_rollback import Rollback, Undo, clean_up
from rehearsal.engine.cloudformation.stack_state import Deployed, Stack, with_attributes
from rehearsal.engine.cloudformation.template import Parameter, Template

if TYPE_CHECKING:
    from rehearsal.engine.cloudformation.stack_store import StackStore


class Operation:
    """One creation or update of a stack, towards a template and its parameters; it may have to wait on its way."""

    def __init__(
        self, store: StackStore, stack: Stack, template: Template, parameters: dict[str, Parameter]
    ) -> None:
        self.store, self.stack = store, stack
        self.template, self.parameters = template, parameters
        self.verb = "UPDATE" if stack.status == "UPDATE_IN_PROGRESS" else "CREATE"
        self.resources: dict[str, Deployed] = dict(stack.resources)
        self.imports: set[str] = set()
        self.scope = store.scope(stack, template, parameters, self.resources, self.imports)
        self._undo: list[Undo] = []
        self._created: list[Deployed] = []
        self._replaced: list[Deployed] = []

    def run(self) -> Steps:
        """Create and update in dependency order; only then is anything deleted."""
        self.stack.failures = {}
        self.stack.tell(f"{self.verb}_IN_PROGRESS", "User Initiated")
        try:
            order = self.template.in_order(self.scope)
            for logical_id in order:
                yield from self._converge(logical_id)
            outputs = self.template.outputs(self.scope)
            self.store.check_exports(self.stack, outputs)
        except _Stopped:
            failed = ", ".join(self.stack.failures)
            yield from self._roll_back(
                f"The following resource(s) failed to {self.verb.lower()}: [{failed}]. "
            )
            return
        except TemplateError as error:
            yield from self._roll_back(str(error))
            return
        stack, gone = self.stack, self._gone()
        stack.template, stack.parameters, stack.outputs = self.template, self.parameters, outputs
        stack.resources = {logical_id: self.resources[logical_id] for logical_id in order}
        stack.imports = frozenset(self.imports)
        if self.verb == "UPDATE":
            clean_up(stack, "UPDATE_COMPLETE", gone)
        else:
            stack.tell("CREATE_COMPLETE")

    def _roll_back(self, reason: str) -> Steps:
        prefix = "UPDATE_ROLLBACK" if self.verb == "UPDATE" else "ROLLBACK"
        return Rollback(self.stack, prefix, self._undo, self._created).run(reason)

    def _gone(self) -> list[Deployed]:
        """What the new template no longer has or has replaced, and does not retain; dependents first."""
        active, before = self.template.active(self.scope), self.stack.resources
        removed = [item for name, item in before.items() if name not in active]
        gone = [item for item in removed if not item.is_kept("DeletionPolicy")] + self._replaced
        return sorted(gone, key=lambda item: list(before).index(item.logical_id), reverse=True)

    def _converge(self, logical_id: str) -> Steps:
        old = self.resources.get(logical_id)
        try:
            wanted = self._wanted(logical_id, old)
            if old is None:
                yield from self._create(wanted)
            elif wanted.properties == old.properties:
                self.resources[logical_id] = wanted
            elif self._resource(wanted).is_replaced(old.named_properties):
                yield from self._replace(old, wanted)
            else:
                yield from self._update(old, wanted)
        except FAILURES as error:
            self._fail(logical_id, old, error)

    def _wanted(self, logical_id: str, old: Deployed | None) -> Deployed:
        node = self.template.resources[logical_id]
        kind = kind_of(node["Type"])
        properties = self.scope.value(node.get("Properties", {}))
        return Deployed(
            kind=kind,
            logical_id=logical_id,
            physical_id=old.physical_id if old else "",
            properties=properties,
            name=self._name(kind, logical_id, properties, old),
            attributes=old.attributes if old else {},
            policies=resource_policies(node),
            changed_at=old.changed_at if old else self.stack.account.clock.now(),
        )

    def _name(
        self, kind: type[ResourceType], logical_id: str, properties: Mapping[str, Any], old: Deployed | None
    ) -> str | None:
        """The template's name, or the one that was generated before, or a new one."""
        if kind.names_itself is None:
            return None
        if kind.names_itself in properties:
            return str(properties[kind.names_itself])
        if old and kind.names_itself not in old.properties:
            return old.name
        return self._new_name(kind, logical_id)

    def _new_name(self, kind: type[ResourceType], logical_id: str) -> str:
        place = Place(self.stack.account, self.stack.name, logical_id)
        return kind(place, {}).generated_name(self.stack.next_name_token(logical_id))

    def _resource(self, deployed: Deployed) -> ResourceType:
        return deployed.resource(self.stack.account, self.stack.name)

    def _create(self, wanted: Deployed) -> Steps:
        self.stack.log(wanted.logical_id, "", wanted.kind.type, "CREATE_IN_PROGRESS")
        resource = self._resource(wanted)
        resource.id = resource.create()
        created = with_attributes(wanted, resource, self.stack.account.clock.now())
        self._created.append(created)
        yield from settle(resource)
        self._done(created, "CREATE_COMPLETE")

    def _replace(self, old: Deployed, wanted: Deployed) -> Steps:
        """The new resource comes first; the old one goes in the clean-up, unless its policy retains it."""
        explicit = wanted.kind.names_itself
        if explicit and explicit in wanted.properties and wanted.name == old.name:
            raise ResourceFailed(
                f"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{wanted.name} and update the stack again."
            )
        if explicit and explicit not in wanted.properties:
            name = self._new_name(wanted.kind, wanted.logical_id)
            wanted = replace(wanted, name=name)
        if not wanted.is_kept("UpdateReplacePolicy"):
            self._replaced.append(old)
        yield from self._create(wanted)

    def _update(self, old: Deployed, wanted: Deployed) -> Steps:
        self.stack.log_resource(old, "UPDATE_IN_PROGRESS")
        self._undo.append(Undo(old, wanted))
        yield from change(self.stack, wanted, old)
        updated = with_attributes(wanted, self._resource(wanted), self.stack.account.clock.now())
        self._done(updated, "UPDATE_COMPLETE")

    def _done(self, deployed: Deployed, status: str) -> None:
        self.resources[deployed.logical_id] = deployed
        self.stack.log_resource(deployed, status)

    def _fail(self, logical_id: str, old: Deployed | None, error: Exception) -> None:
        reason = reason_of(error)
        self.stack.failures[logical_id] = reason
        kind = self.template.resources[logical_id]["Type"]
        status = "UPDATE_FAILED" if old else "CREATE_FAILED"
        self.stack.log(logical_id, old.physical_id if old else "", kind, status, reason)
        raise _Stopped from error


class _Stopped(Exception):
    """A resource failed; its reason is in the stack's failures."""


def resource_policies(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("DeletionPolicy", "UpdateReplacePolicy", "Metadata") if key in node}


def delete_stack(stack: Stack) -> bool:
    """Delete all that is not retained, dependents first; whether nothing is left."""
    stack.failures = {}
    stack.tell("DELETE_IN_PROGRESS", "User Initiated")
    if stack.rollback:
        stack.rollback.abandon()
    for item in reversed(list(stack.resources.values())):
        if item.is_kept("DeletionPolicy"):
            stack.log_resource(item, "DELETE_SKIPPED")
        elif not delete(stack, item):
            continue
        del stack.resources[item.logical_id]
    if stack.resources:
        failed = ", ".join(stack.failures)
        stack.tell("DELETE_FAILED", f"The following resource(s) failed to delete: [{failed}]. ")
        return False
    stack.outputs = {}
    stack.tell("DELETE_COMPLETE")
    return True
