"""At-least-once, as AWS promises and no more: a seed has events delivered twice, late, or in another order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

IN_ORDER_AND_ONCE = 0
ONE_IN = 3
"""So many deliveries are delayed, and as many are repeated: far more than in AWS, so that a short life meets them."""
LONGEST_DELAY = 4
"""How often a delivery lets go first what is on the queue."""
LONGEST_ECHO_MINUTES = 90


class AtLeastOnce:
    """Chooses by a seed and the number of the delivery alone: the same life makes the same choices."""

    def __init__(self, account: Account, seed: int) -> None:
        self.seed = seed
        self._account = account
        self._chosen = 0

    def deliver(self, name: str, act: Callable[[], None]) -> None:
        """Put a delivery on the queue of work; with a seed perhaps behind others, and perhaps once more."""
        if self.seed == IN_ORDER_AND_ONCE:
            self._account.defer(name, act)
            return
        self._behind(name, act, self._choose(LONGEST_DELAY) + 1 if self.happens() else 0)
        if self.happens():
            self._echo(name, act)

    def _behind(self, name: str, act: Callable[[], None], others: int) -> None:
        """Each turn lets all that is on the queue by then go first."""
        if others == 0:
            self._account.defer(name, act)
        else:
            self._account.defer(f"{name}, later", lambda: self._behind(name, act, others - 1))

    def _echo(self, name: str, act: Callable[[], None]) -> None:
        """The same once more: at once, or when nobody thinks of it any more."""
        self._account.journal.write("echo", delivery=name)
        minutes = self._choose(LONGEST_ECHO_MINUTES)
        if minutes % 2:
            self._account.defer(f"{name}, again", act)
        else:
            later = self._account.clock.now() + timedelta(minutes=minutes)
            self._account.wake_at(later, f"{name}, again", act)

    def happens(self) -> bool:
        """Does it happen to this one? Never without a seed."""
        return self.seed != IN_ORDER_AND_ONCE and self._choose(ONE_IN) == 0

    def _choose(self, below: int) -> int:
        self._chosen += 1
        digest = hashlib.sha256(f"{self.seed}/{self._chosen}".encode()).digest()
        return int.from_bytes(digest[:8]) % below
