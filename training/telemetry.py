"""What the server tells CloudWatch while two releases are compared: sums of its predictions, never a row.

One line of standard output in the embedded metric format is one datum; CloudWatch reads them from the log group.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

import orjson

from domain.names import (
    ENDPOINT_DIMENSION,
    METRIC_NAMESPACE,
    RELEASE_DIMENSION,
    ServerMetric,
)

LINES_A_SECOND, LINES_AT_ONCE = 20, 100
"""Log lines cost by the byte: a busy server sums up what is beyond this, and prints it within a second."""


def embedded(endpoint: str, release: str, *, total: float, rows: int, milliseconds: int) -> bytes:
    """One line of the embedded metric format, for this release."""
    declared = {
        "Namespace": METRIC_NAMESPACE,
        "Dimensions": [[ENDPOINT_DIMENSION, RELEASE_DIMENSION]],
        "Metrics": [
            {"Name": ServerMetric.PREDICTION_SUM, "Unit": "None"},
            {"Name": ServerMetric.PREDICTION_ROWS, "Unit": "Count"},
        ],
    }
    line = {
        "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [declared]},
        ENDPOINT_DIMENSION: endpoint,
        RELEASE_DIMENSION: release,
        ServerMetric.PREDICTION_SUM: total,
        ServerMetric.PREDICTION_ROWS: rows,
    }
    return orjson.dumps(line)


class PredictionMetric:
    """Sums predictions and prints them; without an endpoint's name nobody looks, and it is silent."""

    def __init__(self, endpoint: str, release: str) -> None:
        self.endpoint = endpoint
        self.release = release
        self._total = 0.0
        self._rows = 0
        self._lines = float(LINES_AT_ONCE)
        self._counted_at = time.monotonic()
        self._is_due = False

    def add(self, predictions: Sequence[float]) -> None:
        """Called in the server's event loop, once an answer."""
        if not self.endpoint:
            return
        self._total += sum(predictions)
        self._rows += len(predictions)
        if self._may_print():
            self._print()
        elif not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(1, self._print)

    def _may_print(self) -> bool:
        now = time.monotonic()
        self._lines = min(LINES_AT_ONCE, self._lines + (now - self._counted_at) * LINES_A_SECOND)
        self._counted_at = now
        if self._lines < 1:
            return False
        self._lines -= 1
        return True

    def _print(self) -> None:
        if self._rows:
            now = int(time.time() * 1000)
            total = round(self._total, 6)
            line = embedded(self.endpoint, self.release, total=total, rows=self._rows, milliseconds=now)
            sys.stdout.write(line.decode() + "\n")
            sys.stdout.flush()
        self._total, self._rows, self._is_due = 0.0, 0, False
