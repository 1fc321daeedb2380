"""What CloudFormation does after it has answered: create, update, roll back, clean up, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.engine.cloudformation.intrinsics import TemplateError
from rehearsal.engine.cloudformation.resource_tags import retag
from rehearsal.engine.cloudformation.resource_types import kind_of
from rehearsal.engine.cloudformation.resources import Place, ResourceFailed, ResourceType
from rehearsal.engine.cloudformation.stack_state import Deployed, Stack, with_attributes
from rehearsal.engine.cloudformation.template import Parameter, Template

if TYPE_CHECKING:
    from rehearsal.engine.cloudformation.stack_store import StackStore

FAILURES = (ClientError, BotoCoreError, ResourceFailed, TemplateError)


class Operation:
    """One creation or update of a stack, towards a template and its parameters."""

    def __init__(
        self, store: StackStore, stack: Stack, template: Template, parameters: dict[str, Parameter]
    ) -> None:
        self.store, self.stack = store, stack
        self.template, self.parameters = template, parameters
        self.verb = "UPDATE" if stack.status == "UPDATE_IN_PROGRESS" else "CREATE"
        self.resources: dict[str, Deployed] = dict(stack.resources)
        self.imports: set[str] = set()
        self.scope = store.scope(stack, template, parameters, self.resources, self.imports)
        self._undo: list[tuple[Deployed, Callable[[], None]]] = []
        self._created: list[Deployed] = []
        self._replaced: list[Deployed] = []

    def run(self) -> None:
        """Create and update in dependency order; only then is anything deleted."""
        self.stack.failures = {}
        self.stack.tell(f"{self.verb}_IN_PROGRESS", "User Initiated")
        try:
            order = self.template.in_order(self.scope)
            for logical_id in order:
                self._converge(logical_id)
            outputs = self.template.outputs(self.scope)
            self.store.check_exports(self.stack, outputs)
        except _Stopped:
            failed = ", ".join(self.stack.failures)
            return self._roll_back(f"The following resource(s) failed to {self.verb.lower()}: [{failed}]. ")
        except TemplateError as error:
            return self._roll_back(str(error))
        stack, gone = self.stack, self._gone()
        stack.template, stack.parameters, stack.outputs = self.template, self.parameters, outputs
        stack.resources = {logical_id: self.resources[logical_id] for logical_id in order}
        stack.imports = frozenset(self.imports)
        self._finish("UPDATE_COMPLETE" if self.verb == "UPDATE" else "CREATE_COMPLETE", gone)
        return None

    def _finish(self, status: str, gone: list[Deployed]) -> None:
        """An update's leftovers go in a phase of their own, in which the stack refuses other updates."""
        if self.verb == "CREATE":
            self.stack.tell(status)
            return
        self.stack.tell(f"{status}_CLEANUP_IN_PROGRESS")

        def clean_up() -> None:
            for item in gone:
                delete(self.stack, item)
            self.stack.tell(status)

        self.stack.account.defer(f"clean up stack {self.stack.name}", clean_up)

    def _gone(self) -> list[Deployed]:
        """What the new template no longer has or has replaced, and does not retain; dependents first."""
        active, before = self.template.active(self.scope), self.stack.resources
        removed = [item for name, item in before.items() if name not in active]
        gone = [item for item in removed if not item.is_kept("DeletionPolicy")] + self._replaced
        return sorted(gone, key=lambda item: list(before).index(item.logical_id), reverse=True)

    def _converge(self, logical_id: str) -> None:
        old = self.resources.get(logical_id)
        try:
            wanted = self._wanted(logical_id, old)
            if old is None:
                self._create(wanted)
            elif wanted.properties == old.properties:
                self.resources[logical_id] = wanted
            elif self._resource(wanted).is_replaced(old.named_properties):
                self._replace(old, wanted)
            else:
                self._update(old, wanted)
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
        return deployed.resource(self.stack)

    def _create(self, wanted: Deployed) -> None:
        self.stack.log(wanted.logical_id, "", wanted.kind.type, "CREATE_IN_PROGRESS")
        resource = self._resource(wanted)
        resource.id = resource.create()
        created = with_attributes(wanted, resource, self.stack.account.clock.now())
        self._created.append(created)
        self._done(created, "CREATE_COMPLETE")

    def _replace(self, old: Deployed, wanted: Deployed) -> None:
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
        self._create(wanted)

    def _update(self, old: Deployed, wanted: Deployed) -> None:
        self.stack.log(old.logical_id, old.physical_id, old.kind.type, "UPDATE_IN_PROGRESS")
        self._undo.append((old, lambda: _change(self._resource(old), wanted)))
        resource = self._resource(wanted)
        _change(resource, old)
        self._done(with_attributes(wanted, resource, self.stack.account.clock.now()), "UPDATE_COMPLETE")

    def _done(self, deployed: Deployed, status: str) -> None:
        self.resources[deployed.logical_id] = deployed
        self.stack.log(deployed.logical_id, deployed.physical_id, deployed.kind.type, status)

    def _fail(self, logical_id: str, old: Deployed | None, error: Exception) -> None:
        reason = _reason(error)
        self.stack.failures[logical_id] = reason
        kind = self.template.resources[logical_id]["Type"]
        status = "UPDATE_FAILED" if old else "CREATE_FAILED"
        self.stack.log(logical_id, old.physical_id if old else "", kind, status, reason)
        raise _Stopped from error

    def _roll_back(self, reason: str) -> None:
        """Undo in reverse; what the operation created goes last, and what it retains stays."""
        prefix = "UPDATE_ROLLBACK" if self.verb == "UPDATE" else "ROLLBACK"
        self.stack.tell(f"{prefix}_IN_PROGRESS", reason)
        stuck = {}
        for old, undo in reversed(self._undo):
            try:
                undo()
            except FAILURES as error:
                stuck[old.logical_id] = _reason(error)
                self.stack.log(
                    old.logical_id, old.physical_id, old.kind.type, "UPDATE_FAILED", stuck[old.logical_id]
                )
        if stuck:
            self.stack.failures.update(stuck)
            self.stack.tell(
                f"{prefix}_FAILED", f"The following resource(s) failed to update: [{', '.join(stuck)}]. "
            )
            return
        gone = [item for item in reversed(self._created) if not item.is_kept("DeletionPolicy")]
        if self.verb == "CREATE":
            left = [item for item in gone if not delete(self.stack, item)]
            self.stack.resources = {item.logical_id: item for item in left}
            self.stack.tell("ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE")
        else:
            self._finish("UPDATE_ROLLBACK_COMPLETE", gone)


class _Stopped(Exception):
    """A resource failed; its reason is in the stack's failures."""


def resource_policies(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("DeletionPolicy", "UpdateReplacePolicy", "Metadata") if key in node}


def delete_stack(stack: Stack) -> bool:
    """Delete all that is not retained, dependents first; whether nothing is left."""
    stack.failures = {}
    stack.tell("DELETE_IN_PROGRESS", "User Initiated")
    for item in reversed(list(stack.resources.values())):
        if item.is_kept("DeletionPolicy"):
            stack.log(item.logical_id, item.physical_id, item.kind.type, "DELETE_SKIPPED")
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


def delete(stack: Stack, item: Deployed) -> bool:
    """Delete one resource; whether it worked."""
    stack.log(item.logical_id, item.physical_id, item.kind.type, "DELETE_IN_PROGRESS")
    try:
        item.resource(stack).delete()
    except FAILURES as error:
        stack.failures[item.logical_id] = _reason(error)
        stack.log(item.logical_id, item.physical_id, item.kind.type, "DELETE_FAILED", _reason(error))
        return False
    stack.log(item.logical_id, item.physical_id, item.kind.type, "DELETE_COMPLETE")
    return True


def _change(resource: ResourceType, old: Deployed) -> None:
    """Bring a resource from `old` to its own properties."""
    before = old.named_properties
    if resource.tags_itself or resource.changed(before) != {"Tags"}:
        resource.update(before)
    if not resource.tags_itself:
        retag(resource, before)


def _reason(error: Exception) -> str:
    """A refused API call reads as AWS's resource handlers put it."""
    if isinstance(error, ClientError | BotoCoreError):
        return f'Resource handler returned message: "{error}"'
    return str(error)
