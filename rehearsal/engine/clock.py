"""The one clock of a rehearsal: it stands still until somebody moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine


class VirtualClock:
    """Freezes time for every library in this process (moto, boto3, ours) at a chosen instant.

    `time.monotonic` and `time.sleep` stay real, so that timeouts of real processes still work.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"the virtual clock needs a UTC time, got the naive {start.isoformat()}")
        self._travel = time_machine.travel(start.astimezone(UTC), tick=False)
        self._coordinates = self._travel.start()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def move_to(self, instant: datetime) -> None:
        """Move forward to `instant`; moving backwards is an error."""
        if instant < self.now():
            raise ValueError(
                f"the clock stands at {self.now().isoformat()}; it cannot go back to {instant.isoformat()}"
            )
        self._coordinates.move_to(instant, tick=False)

    def advance(self, delta: timedelta) -> None:
        self.move_to(self.now() + delta)

    def stop(self) -> None:
        self._travel.stop()


def event_time(instant: datetime) -> str:
    """A UTC time as SageMaker writes it into its events."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
