"""`sleep` in a build: the account lives on for so long, as it would while a build waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rehearsal.engine.delivery.shims import Answer, Command, Tool

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


def tool(account: Account) -> Tool:
    def sleep(command: Command) -> Answer:
        account.advance_to(account.clock.now() + timedelta(seconds=float(command.argv[1])))
        return Answer()

    return sleep
