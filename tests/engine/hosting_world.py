"""What the endpoint tests share: endpoints of the small model, and the calls that the tests make on them."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import Any

import pytest

from tests.engine.sagemaker_world import World


class Hosting:
    """Endpoints of the shared account, and the calls that the tests make on them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sagemaker = world.sagemaker
        self.runtime = world.account.client("sagemaker-runtime")
        self.model_data = world.train("for-endpoints")["ModelArtifacts"]["S3ModelArtifacts"]

    def config(self, name: str, *, environment: dict[str, str] | None = None, **more: Any) -> str:
        """A model and an endpoint configuration of this name."""
        container = {"Image": self.world.image, "ModelDataUrl": self.model_data}
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=self.world.role,
            PrimaryContainer={**container, "Environment": environment or {}},
        )
        variant = {
            "VariantName": "live",
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "ContainerStartupHealthCheckTimeoutInSeconds": 60,
        }
        variant.update(more.pop("variant", {}))
        variant = {key: value for key, value in variant.items() if value is not None}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
        return name

    def endpoint(self, name: str, **more: Any) -> dict[str, Any]:
        self.config(name, **more)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        return self.describe(name)

    def describe(self, name: str) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return described

    def ask(self, endpoint: str, body: str | bytes = "21", **more: Any) -> str:
        more.setdefault("ContentType", "text/csv")
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        return str(answer["Body"].read().decode())

    def later(self, **delta: int) -> None:
        """Move the clock, as living on does."""
        self.world.account.clock.advance(timedelta(**delta))
        for hook in self.world.account.on_advance:
            hook()

    def captured(self, endpoint: str) -> list[dict[str, Any]]:
        lines = [self.world.get(key) for key in self.world.keys(f"capture/{endpoint}/")]
        return [json.loads(line) for text in lines for line in text.splitlines()]

    def metric(self, endpoint: str, name: str, statistic: str, minutes: int = 120) -> list[float]:
        now = self.world.account.clock.now()
        dimensions = {"EndpointName": endpoint, "VariantName": "live"}
        found = self.world.account.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(minutes=minutes),
            EndTime=now + timedelta(hours=1),
            Period=60 * minutes + 3600,
            Statistics=[statistic],
        )
        return [point[statistic] for point in found["Datapoints"]]


@pytest.fixture(scope="module")
def hosting(world: World) -> Hosting:
    return Hosting(world)


def processes(hosting: Hosting, endpoint: str) -> int:
    """How many processes serve this endpoint."""
    directory = str(hosting.world.account.directory / "endpoints" / endpoint) + "/"
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ") as file:
                found += f"HOME={directory}" in file.read()
        except OSError:
            continue
    return found
