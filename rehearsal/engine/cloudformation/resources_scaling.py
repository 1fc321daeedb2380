"""CloudFormation types of Application Auto Scaling, for the variants of SageMaker endpoints."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine.cloudformation.resources import (
    Properties,
    ResourceFailed,
    ResourceType,
    pick,
    without,
)

WHAT = ("ServiceNamespace", "ResourceId", "ScalableDimension")
BURSTABLE = re.compile(r"ml\.t\d")


class ScalableTarget(ResourceType):
    type = "AWS::ApplicationAutoScaling::ScalableTarget"
    service = "application-autoscaling"
    creates = "RegisterScalableTarget"
    create_only = frozenset(WHAT)

    def create(self) -> str:
        if self.properties["ServiceNamespace"] != "sagemaker":
            raise self.unsupported(f"ServiceNamespace {self.properties['ServiceNamespace']}")
        self._check_variant(self.properties["ResourceId"])
        self.send("RegisterScalableTarget", **self.properties)
        return "|".join(str(self.properties[name]) for name in ("ResourceId", "ScalableDimension", WHAT[0]))

    def update(self, old: Properties) -> None:
        self.refuse_other_changes(old, "MinCapacity", "MaxCapacity")
        self.send("RegisterScalableTarget", **without(self.properties, "Tags"))

    def delete(self) -> None:
        self.send("DeregisterScalableTarget", **pick(self.properties, *WHAT))

    def _check_variant(self, resource_id: str) -> None:
        """What is registered must be there, and must not be burstable."""
        [_, endpoint, _, variant] = resource_id.split("/")
        sagemaker = self.account.client("sagemaker")
        try:
            name = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        except ClientError as error:
            raise ResourceFailed(f"{resource_id}: {error}") from error
        found = sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
        given = [one for one in found if one["VariantName"] == variant]
        if not given:
            raise ResourceFailed(f"{resource_id}: endpoint {endpoint} has no variant {variant}")
        types = [pool["InstanceType"] for pool in given[0].get("InstancePools", [])]
        types += [given[0]["InstanceType"]] if "InstanceType" in given[0] else []
        if burstable := [one for one in types if BURSTABLE.match(one)]:
            raise ResourceFailed(f"{resource_id}: burstable instances such as {burstable[0]} do not scale")


class ScalingPolicy(ResourceType):
    type = "AWS::ApplicationAutoScaling::ScalingPolicy"
    service = "application-autoscaling"
    creates = "PutScalingPolicy"
    also = frozenset({"ScalingTargetId"})
    create_only = frozenset({*WHAT, "PolicyName", "ScalingTargetId"})

    def create(self) -> str:
        return str(self.send("PutScalingPolicy", **self._request())["PolicyARN"])

    def update(self, old: Properties) -> None:
        self.refuse_other_changes(old, "PolicyType", "TargetTrackingScalingPolicyConfiguration")
        self.create()

    def delete(self) -> None:
        self.send("DeleteScalingPolicy", **pick(self._request(), "PolicyName", *WHAT))

    def attributes(self) -> dict[str, Any]:
        return {"Arn": self.id}

    def _request(self) -> dict[str, Any]:
        """The target is named by what its Ref gives, or by the three parts of that."""
        given = without(self.properties, "ScalingTargetId")
        if "ScalingTargetId" in self.properties:
            names = ("ResourceId", "ScalableDimension", "ServiceNamespace")
            given |= dict(zip(names, self.properties["ScalingTargetId"].split("|"), strict=True))
        return given


TYPES = (ScalableTarget, ScalingPolicy)
