"""Every deployed resource as CloudFormation was last told it, for whoever asks what stands where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine.cloudformation.stack_store import StackStore

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass(frozen=True)
class Resource:
    """A resource of a stack; properties have no expressions any more."""

    stack: str
    logical_id: str
    id: str
    """The physical id: what Ref gives."""
    type: str
    properties: Mapping[str, Any]
    policies: Mapping[str, Any]
    """DeletionPolicy and UpdateReplacePolicy, as far as the template has them."""


_stores: WeakKeyDictionary[Account, StackStore] = WeakKeyDictionary()


def install(account: Account, store: StackStore) -> None:
    _stores[account] = store


def resources(account: Account) -> list[Resource]:
    """Those of every stack that is there, in the order in which they were created."""
    return [
        Resource(
            stack.name, one.logical_id, one.physical_id, one.kind.type, one.named_properties, one.policies
        )
        for stack in _stores[account].alive()
        for one in stack.resources.values()
    ]
