"""The order of all tests: files are handed out to the cores one by one, so those that last longest come first."""

from __future__ import annotations

import gc
import os

import pytest

from domain.names import WITHOUT_WHEELS

os.environ[WITHOUT_WHEELS] = (
    "yes"  # a synth needs no network, and what runs here runs with this machine's packages
)
for library in ("OMP", "OPENBLAS"):
    os.environ.setdefault(
        f"{library}_NUM_THREADS", "1"
    )  # each worker has a core; threads that spin take the others'
gc.set_threshold(100_000, 50, 50)  # a seventh of the time of all tests, otherwise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
