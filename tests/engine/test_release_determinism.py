"""The same release, played twice, leaves the same journal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine import Account
from tests.engine.hosting_world import Hosting
from tests.engine.sagemaker_world import START, World

MEASURED = ("wall_seconds",)


def played(directory: Path) -> list[Any]:
    """A canary that fails half of its requests, and is rolled back by its alarm."""
    with Account(start=START, directory=directory) as account:
        world = World(account)
        world.put("train/a.csv", "1\n")
        hosting = Hosting(world)
        hosting.endpoint("live", variant={"InitialInstanceCount": 2})
        hosting.config("next", environment={"FAIL": "1"}, variant={"InitialInstanceCount": 2})
        dimensions = {"EndpointName": "live", "VariantName": "live", "EndpointConfigName": "next"}
        account.client("cloudwatch").put_metric_alarm(
            AlarmName="errors",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0.5,
            ComparisonOperator="GreaterThanThreshold",
        )
        canary = {"Type": "CANARY", "WaitIntervalInSeconds": 300}
        canary["CanarySize"] = {"Type": "INSTANCE_COUNT", "Value": 1}
        account.client("sagemaker").update_endpoint(
            EndpointName="live",
            EndpointConfigName="next",
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": canary},
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
            },
        )
        answers = []
        for _ in range(6):
            try:
                answers.append(hosting.ask("live"))
            except ClientError:
                answers.append("error")
        account.advance_to(account.clock.now() + timedelta(minutes=10))
        assert hosting.describe("live")["EndpointConfigName"] == "live"
        return [
            answers,
            *((entry.time, entry.kind, _plain(entry.facts)) for entry in account.journal.entries),
        ]


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key not in MEASURED}


def test_a_rolled_back_release_leaves_the_same_journal_every_time(tmp_path: Path) -> None:
    first, second = (played(tmp_path / name) for name in ("first", "second"))
    assert first == second
    assert first[0].count("error") == 3
