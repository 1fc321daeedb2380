"""The order of all tests: files are handed out to the cores one by one, so those that last longest come first."""

from __future__ import annotations

import gc

import pytest

gc.set_threshold(100_000, 50, 50)  # a seventh of the time of all tests, otherwise


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
