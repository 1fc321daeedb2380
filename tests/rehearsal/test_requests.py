"""Every request of a rehearsal is counted once, by when it was sent; a lost one is said."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from rehearsal.scenarios.dataset import Hour
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.summary import requests
from rehearsal.scenarios.traffic import World

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)


class Endpoint:
    """Answers each row with 1, until it is broken."""

    def __init__(self) -> None:
        self.broken = False

    def invoke_endpoint(self, *, Body: bytes, **_: Any) -> dict[str, Any]:
        if self.broken:
            raise ConnectionError("gone")
        answer = {"model": "m", "predictions": [1.0] * len(Body.splitlines())}
        return {"Body": io.BytesIO(json.dumps(answer).encode())}


def world(endpoint: Endpoint, in_transition: set[str]) -> World:
    clock = SimpleNamespace(now=lambda: AT)
    account = SimpleNamespace(
        on_advance=[], in_transition=in_transition, clock=clock, client=lambda _: endpoint
    )
    deployment = SimpleNamespace(account=account, names=SimpleNamespace(endpoint="e"))
    return World(cast("Deployment", deployment), ["x"], "y")


def test_a_request_counts_once_by_whether_the_endpoint_changed_when_it_was_sent() -> None:
    endpoint, in_transition = Endpoint(), set[str]()
    made = world(endpoint, in_transition)
    hour = Hour(AT, ({"x": "1", "y": "1"}, {"x": "2", "y": "0"}, {"x": "3", "y": "0"}))
    made.ask(hour)
    in_transition.add("the endpoint")
    made.ask(hour)
    endpoint.broken = True
    made.deployment.account.on_advance[0]()
    changing = {"sent": 3, "answered": 1, "lost": 2, "rows": 6}
    assert requests(made.asked) == {
        **{"sent": 4, "answered": 2, "lost": 2, "rows": 9},
        "while_changing": changing,
    }
    assert [one.error for one in made.again] == ["ConnectionError: gone"] * 2
