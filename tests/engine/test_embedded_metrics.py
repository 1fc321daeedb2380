"""What a function or a hosted model prints in embedded metric format becomes a metric."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine import embedded_metrics
from rehearsal.engine.moto_seams import cloudwatch as seam
from tests.engine.runtime_world import START, World, world


def line(**changes: Any) -> str:
    directive = {
        "Namespace": "Model",
        "Dimensions": [["Release"], []],
        "Metrics": [{"Name": "Score", "Unit": "Percent"}],
    }
    document = {"_aws": {"Timestamp": 0, "CloudWatchMetrics": [directive]}, "Release": "r1", "Score": 2.5}
    return json.dumps({**document, **changes})


def data(account: Any, name: str = "Score") -> list[tuple[str, float, Any]]:
    """The data of this metric: dimensions, value, time."""
    return [
        (",".join(f"{key}={value}" for key, value in sorted(datum.key.dimensions)), datum.total, datum.time)
        for datum in seam.metric_data(account, 0)
        if datum.key.name == name
    ]


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as it:
        yield it


def test_a_function_s_line_is_a_metric_at_its_own_time(aws: World) -> None:
    document = json.loads(line())
    aws.function(
        f"""
        import json, time
        def handler(event, context):
            document = {document!r}
            document["_aws"]["Timestamp"] = int(time.time() * 1000)
            print(json.dumps(document))
        """
    )
    aws.account.clock.advance(timedelta(minutes=7))
    aws.call("work")
    at = START + timedelta(minutes=7)
    assert data(aws.account) == [("Release=r1", 2.5, at), ("", 2.5, at)]


def test_a_list_of_numbers_is_as_many_values(aws: World) -> None:
    embedded_metrics.publish(aws.account, "group", [line(Score=[1, 2, 3])], at=START)
    assert [total for _, total, _ in data(aws.account)] == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(Score="high"), "Score must be a number"),
        (line(Score=[]), "1 to 100 numbers"),
        (line(_aws={"Timestamp": 0}), "CloudWatchMetrics is missing"),
        ('{"_aws": ', "not JSON"),
        (json.dumps({"a": {"_aws": {}}}), "no object _aws"),
    ],
)
def test_a_malformed_line_is_dropped_and_told(aws: World, text: str, message: str) -> None:
    embedded_metrics.publish(aws.account, "group", ["plain", text], at=START)
    (note,) = [facts["what"] for facts in aws.facts("note") if "embedded metric" in facts["what"]]
    assert message in note
    assert data(aws.account) == []
