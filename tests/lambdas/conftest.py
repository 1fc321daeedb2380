from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from tests.lambdas.local import NOW, Local

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")


@cache
def client(service: str) -> Any:
    return SESSION.client(service)


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """A new account for each test; clients are shared, since making one takes longer than most tests."""
    monkeypatch.setattr(boto3, "client", lambda service, **_: client(service))
    with time_machine.travel(NOW, tick=False) as traveller, mock_aws():
        yield Local(monkeypatch, traveller)
