"""An endpoint as it stands, and as DescribeEndpoint shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rehearsal.engine.fleets import Fleets
from rehearsal.engine.invocations import Serving


@dataclass
class Pending:
    """A deployment under way: the new fleet, how much of it takes traffic, and what is being done."""

    config: dict[str, Any]
    started: datetime
    instances: int
    active_instances: int = 0
    fleet: Serving | None = None
    stage: str = "Creating"
    said: str = ""
    stage_started: datetime | None = None


@dataclass
class Endpoint:
    """An endpoint as the API shows it, and what serves it."""

    name: str
    arn: str
    config: dict[str, Any]
    created: datetime
    modified: datetime
    instances: int
    status: str = "Creating"
    failure_reason: str | None = None
    deployment_config: dict[str, Any] | None = None
    fleet: Serving | None = None
    """What runs `config`."""
    pending: Pending | None = None
    fleets: Fleets = field(default_factory=Fleets)
    deployments: int = 0

    @property
    def running(self) -> list[Serving]:
        """Every fleet that has a container: two while a deployment is under way."""
        found = [self.fleet, self.pending.fleet if self.pending else None]
        return [fleet for fleet in found if fleet]


def variant_of(config: Mapping[str, Any]) -> dict[str, Any]:
    variant: dict[str, Any] = config["ProductionVariants"][0]
    return variant


def instances_of(config: Mapping[str, Any]) -> int:
    return int(variant_of(config).get("InitialInstanceCount", 1))


def summary(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }


def described(endpoint: Endpoint) -> dict[str, Any]:
    shown = {**summary(endpoint), "EndpointConfigName": endpoint.config["EndpointConfigName"]}
    fleet, count = endpoint.fleet, endpoint.instances
    shown["ProductionVariants"] = [_variant(fleet, count, count, endpoint.modified)] if fleet else []
    if capture := endpoint.config.get("DataCaptureConfig"):
        shown["DataCaptureConfig"] = _capture(capture)
    if endpoint.failure_reason:
        shown["FailureReason"] = endpoint.failure_reason
    if endpoint.deployment_config:
        shown["LastDeploymentConfig"] = endpoint.deployment_config
    if endpoint.pending:
        shown["PendingDeploymentSummary"] = pending_summary(endpoint.pending)
    return shown


def pending_summary(pending: Pending) -> dict[str, Any]:
    """The new fleet; `CurrentInstanceCount` is the part of it that takes traffic."""
    counts = (pending.active_instances, pending.instances)
    if pending.fleet:
        variant = _variant(pending.fleet, *counts, pending.started)
    else:
        name = variant_of(pending.config)["VariantName"]
        variant = {"VariantName": name, "CurrentInstanceCount": counts[0], "DesiredInstanceCount": counts[1]}
    status = {"Status": pending.stage, "StatusMessage": pending.said, "StartTime": pending.stage_started}
    return {
        "EndpointConfigName": pending.config["EndpointConfigName"],
        "StartTime": pending.started,
        "ProductionVariants": [{**variant, "VariantStatus": [status]}],
    }


def _capture(capture: Mapping[str, Any]) -> dict[str, Any]:
    enabled = capture.get("EnableCapture", False)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }


def _variant(fleet: Serving, current: int, desired: int, resolved: datetime) -> dict[str, Any]:
    variant, image = fleet.host.variant, fleet.host.image_uri
    weight = variant.get("InitialVariantWeight", 1.0)
    shown = {
        "VariantName": variant["VariantName"],
        "DeployedImages": [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": resolved}],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if "ServerlessConfig" in variant:
        serverless = variant["ServerlessConfig"]
        return {**shown, "CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    pools = sorted(variant.get("InstancePools", []), key=lambda pool: pool["Priority"])
    if pools:  # the first preference always has capacity here
        shown["InstancePools"] = [
            {"InstanceType": pool["InstanceType"], "CurrentInstanceCount": 0 if place else current}
            for place, pool in enumerate(pools)
        ]
    return {**shown, "CurrentInstanceCount": current, "DesiredInstanceCount": desired}
