"""The CloudFormation types that the local account can deploy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.cloudformation import (
    resources_compute,
    resources_data,
    resources_delivery,
    resources_messaging,
    resources_sagemaker,
    resources_scaling,
    resources_storage,
)
from rehearsal.engine.cloudformation.resources import Place, ResourceType

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

STACK = "AWS::CloudFormation::Stack"
KINDS: dict[str, type[ResourceType]] = {
    kind.type: kind
    for module in (
        resources_compute,
        resources_data,
        resources_delivery,
        resources_messaging,
        resources_sagemaker,
        resources_scaling,
        resources_storage,
    )
    for kind in module.TYPES
}


def kind_of(resource_type: str) -> type[ResourceType]:
    return KINDS[resource_type]


def check(account: Account, stack: str, resources: Mapping[str, Any]) -> None:
    """Stop by name at the first resource or property that the local account would not carry out."""
    for logical_id, node in resources.items():
        kind = KINDS.get(node["Type"])
        if kind is None:
            raise Unsupported(
                f"{node['Type']} ({logical_id}) in stack {stack}: the local account lacks this resource type; build it "
                "in rehearsal/engine/cloudformation/resources_*.py"
            )
        kind(Place(account, stack, logical_id), node.get("Properties", {})).check()
