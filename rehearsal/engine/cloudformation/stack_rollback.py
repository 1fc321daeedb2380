"""The way back of a stack operation that failed, and the way on from a rollback that got stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.engine.cloudformation.changes import FAILURES, Steps, change, delete, reason_of
from rehearsal.engine.cloudformation.stack_state import Deployed, Stack


@dataclass(frozen=True)
class Undo:
    """A resource that was changed in place: as it was, and as the operation wanted it."""

    old: Deployed
    new: Deployed


@dataclass
class Rollback:
    """What a failed operation has to take back."""

    stack: Stack
    prefix: str
    undo: list[Undo]
    created: list[Deployed]

    def run(self, reason: str) -> Steps:
        """Undo in reverse; what the operation created goes last, and what it retains stays."""
        self.stack.tell(f"{self.prefix}_IN_PROGRESS", reason)
        yield from self._take_back()

    def continue_without(self, skipped: Sequence[str]) -> Steps:
        """Try again what got stuck; what is skipped counts as done, whatever it is like."""
        self.stack.failures = {}
        self.stack.tell(f"{self.prefix}_IN_PROGRESS", "User Initiated")
        for item in self.undo:
            if item.old.logical_id in skipped:
                self.stack.log_resource(item.old, "UPDATE_COMPLETE")
        self.undo = [item for item in self.undo if item.old.logical_id not in skipped]
        yield from self._take_back()

    def _take_back(self) -> Steps:
        stuck = {}
        left = []
        for item in reversed(self.undo):
            try:
                yield from change(self.stack, item.old, item.new)
            except FAILURES as error:
                stuck[item.old.logical_id] = reason_of(error)
                left.append(item)
                self.stack.log_resource(item.old, "UPDATE_FAILED", reason_of(error))
            else:
                self.stack.log_resource(item.old, "UPDATE_COMPLETE")
        self.undo = left[::-1]
        if stuck:
            self.stack.failures.update(stuck)
            self.stack.rollback = self
            what = f"The following resource(s) failed to update: [{', '.join(stuck)}]. "
            self.stack.tell(f"{self.prefix}_FAILED", what)
        else:
            self.stack.rollback = None
            self._remove_created()

    def abandon(self) -> None:
        """The stack is being deleted: what the failed operation created goes with it."""
        self.created = [item for item in self._unwanted() if not delete(self.stack, item)]

    def _unwanted(self) -> list[Deployed]:
        """Retain keeps a resource also when its creation is rolled back; RetainExceptOnCreate does not."""
        return [item for item in reversed(self.created) if item.policies.get("DeletionPolicy") != "Retain"]

    def _remove_created(self) -> None:
        gone = self._unwanted()
        if self.prefix == "UPDATE_ROLLBACK":
            clean_up(self.stack, "UPDATE_ROLLBACK_COMPLETE", gone)
            return
        left = [item for item in gone if not delete(self.stack, item)]
        self.stack.resources = {item.logical_id: item for item in left}
        self.stack.tell("ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE")


def clean_up(stack: Stack, status: str, gone: Sequence[Deployed]) -> None:
    """An update's leftovers go in a phase of their own, in which the stack refuses other updates."""
    stack.tell(f"{status}_CLEANUP_IN_PROGRESS")

    def remove() -> None:
        for item in gone:
            delete(stack, item)
        stack.tell(status)

    stack.account.defer(f"clean up stack {stack.name}", remove)
