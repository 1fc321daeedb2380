"""Which of an endpoint's fleets gets a request, and when a fleet has none left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition

from rehearsal.engine.invocations import Serving


class Fleets:
    """Splits requests by weight: of any n requests each fleet gets its share, as evenly as whole requests allow."""

    def __init__(self) -> None:
        self._weights: dict[Serving, int] = {}
        self._credit: Counter[Serving] = Counter()
        self._in_flight: Counter[Serving | None] = Counter()
        self._changed = Condition()

    def share(self, weights: Mapping[Serving, int]) -> None:
        """From now on new requests go to these fleets."""
        with self._changed:
            self._weights = {fleet: weight for fleet, weight in weights.items() if weight}
            self._credit.clear()

    @contextmanager
    def taken(self) -> Iterator[Serving | None]:
        """The fleet whose turn it is; it is not drained before this request has its answer."""
        with self._changed:
            fleet = self._next()
            self._in_flight[fleet] += 1
        try:
            yield fleet
        finally:
            with self._changed:
                self._in_flight[fleet] -= 1
                self._changed.notify_all()

    def drain(self, fleet: Serving) -> None:
        """Wait until the requests that this fleet took have their answers."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight[fleet])
            del self._in_flight[fleet]

    def _next(self) -> Serving | None:
        """Smooth weighted round robin: the fleet that is furthest behind its share."""
        if not self._weights:
            return None
        self._credit.update(self._weights)
        fleet = max(self._weights, key=lambda it: self._credit[it])
        self._credit[fleet] -= sum(self._weights.values())
        return fleet
