"""One resource created, changed or deleted, and the waiting for it to settle."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.engine.account import Account
from rehearsal.engine.cloudformation.intrinsics import TemplateError
from rehearsal.engine.cloudformation.resource_tags import retag
from rehearsal.engine.cloudformation.resources import ResourceFailed, ResourceType
from rehearsal.engine.cloudformation.stack_state import Deployed, Stack

FAILURES = (ClientError, BotoCoreError, ResourceFailed, TemplateError)
Steps = Iterator[Callable[[], bool]]
"""Work that stops at each item until that is true."""


def carry_out(account: Account, name: str, steps: Steps) -> None:
    """Go on until something has to be waited for; the account takes the work up again then."""
    is_ready = next(steps, None)
    if is_ready:
        account.when(name, is_ready, lambda: carry_out(account, name, steps))


def settle(resource: ResourceType) -> Steps:
    """Wait until the resource is between two states no more; fail if it is not as the template asks."""
    if resource.is_busy():
        yield lambda: not resource.is_busy()
    resource.prove()


def change(stack: Stack, wanted: Deployed, old: Deployed) -> Steps:
    """Bring a resource from `old` to `wanted`."""
    resource = wanted.resource(stack.account, stack.name)
    before = old.named_properties
    if resource.tags_itself or resource.changed(before) != {"Tags"}:
        resource.update(before)
        yield from settle(resource)
    if not resource.tags_itself:
        retag(resource, before)


def delete(stack: Stack, item: Deployed) -> bool:
    """Delete one resource; whether it worked."""
    stack.log_resource(item, "DELETE_IN_PROGRESS")
    try:
        item.resource(stack.account, stack.name).delete()
    except FAILURES as error:
        stack.failures[item.logical_id] = reason_of(error)
        stack.log_resource(item, "DELETE_FAILED", reason_of(error))
        return False
    stack.log_resource(item, "DELETE_COMPLETE")
    return True


def reason_of(error: Exception) -> str:
    """A refused API call reads as AWS's resource handlers put it."""
    if isinstance(error, ClientError | BotoCoreError):
        return f'Resource handler returned message: "{error}"'
    return str(error)
