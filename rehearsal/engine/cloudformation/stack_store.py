"""The stacks of an account, and what they share: exports and imports."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.engine.account import Account
from rehearsal.engine.cloudformation.intrinsics import Scope, TemplateError
from rehearsal.engine.cloudformation.stack_state import Deployed, Stack
from rehearsal.engine.cloudformation.template import Output, Parameter, Template
from rehearsal.engine.moto_seams import cloudformation as seam


class StackStore:
    """Every stack by its id, deleted ones too."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._stacks: dict[str, Stack] = {}

    def add(self, stack: Stack) -> None:
        self._stacks[stack.id] = stack

    def all(self) -> list[Stack]:
        return list(self._stacks.values())

    def scope(
        self,
        stack: Stack,
        template: Template,
        parameters: Mapping[str, Parameter],
        resources: Mapping[str, Deployed],
        imports: set[str],
    ) -> Scope:
        """What the template's expressions see; every import that they make is added to `imports`."""

        def imported(name: str) -> str:
            for other in self.alive():
                if name in other.exports:
                    imports.add(name)
                    return other.exports[name]
            raise TemplateError(f"No export named {name} found.")

        pseudo = {
            "AWS::AccountId": self._account.id,
            "AWS::NotificationARNs": [],
            "AWS::Partition": "aws",
            "AWS::Region": self._account.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        values = {**pseudo, **{name: parameter.resolved for name, parameter in parameters.items()}}
        return Scope(
            values, template.section("Mappings"), template.section("Conditions"), resources, imported
        )

    def check_exports(self, stack: Stack, outputs: Mapping[str, Output]) -> None:
        """Exports are unique in the account, and stay as they are while another stack imports them."""
        new = {out.export_name: out.value for out in outputs.values() if out.export_name}
        for name, value in stack.exports.items():
            users = self.users(name)
            if users and new.get(name) != value:
                what = "updated" if name in new else "deleted"
                raise TemplateError(f"Export {name} cannot be {what} as it is in use by {users[0]}")
        for other in self.alive():
            taken = sorted(new.keys() & other.exports.keys()) if other is not stack else []
            if taken:
                raise TemplateError(f"Export with name {taken[0]} is already exported by stack {other.name}")

    def users(self, export: str) -> list[str]:
        return [stack.name for stack in self.alive() if export in stack.imports]

    def alive(self) -> list[Stack]:
        return [stack for stack in self._stacks.values() if stack.status != "DELETE_COMPLETE"]

    def get(self, name_or_id: str) -> Stack:
        if name_or_id in self._stacks:
            return self._stacks[name_or_id]
        for stack in self.alive():
            if stack.name == name_or_id:
                return stack
        raise seam.error("ValidationError", f"Stack with id {name_or_id} does not exist")
