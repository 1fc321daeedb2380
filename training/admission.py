"""How much a server takes on at once: so many requests, and so many bytes of their bodies."""

from __future__ import annotations


class Admission:
    """Counts; the server asks before it takes on more, and gives back when a request is over.

    One request is always let in, however long its body may become; the limit on a body is another one.
    """

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self) -> bool:
        """Take on one more request, if there is room; whoever was let in must `leave`."""
        if self.requests >= self.max_requests:
            return False
        self.requests += 1
        return True

    def hold(self, size: int) -> bool:
        """Keep so many bytes more, if there is room or nobody else holds any; give back by `leave`."""
        if self.requests > 1 and self.bytes + size > self.max_bytes:
            return False
        self.bytes += size
        return True

    def leave(self, held: int) -> None:
        """One request is over; it held so many bytes."""
        self.requests -= 1
        self.bytes -= held
