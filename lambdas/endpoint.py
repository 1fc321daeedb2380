"""What the endpoint runs, what it answered, and what it left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from domain.judging import Observed, leftovers
from domain.names import MODEL_OUTPUT, VARIANT
from lambdas import aws

FAILED = ("CREATE_FAILED", "UPDATE_FAILED")
LONGEST_LOOK_BACK = timedelta(days=59)
"""One datum an hour: GetMetricStatistics returns 1,440 at most."""


def observe(endpoint_name: str) -> Observed:
    """Follow the endpoint to the model that it runs: endpoint, configuration, model, container.

    One that only changes its number of instances is Updating too, but deploys nothing: it serves as it did.
    """
    sagemaker = aws.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        return Observed("Absent", failure_reason=str(error))
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    container = model["PrimaryContainer"]
    is_scaling = endpoint["EndpointStatus"] == "Updating" and "PendingDeploymentSummary" not in endpoint
    return Observed(
        "InService" if is_scaling else endpoint["EndpointStatus"],
        endpoint["EndpointConfigName"],
        model["ModelName"],
        container.get("ModelDataUrl"),
        container.get("Image"),
        endpoint.get("FailureReason", ""),
    )


def observe_batch(stack: dict[str, Any]) -> Observed:
    """The model that Serving, as DescribeStacks tells it, has for the next transform."""
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
    name = outputs.get(MODEL_OUTPUT)
    if name is None:
        return Observed("Absent", failure_reason="Serving has no model", what="the batch")
    container = aws.client("sagemaker").describe_model(ModelName=name)["PrimaryContainer"]
    return Observed(
        "InService", name, name, container.get("ModelDataUrl"), container.get("Image"), what="the batch"
    )


def requests_of(endpoint_name: str, config_name: str | None, *, since: datetime, now: datetime) -> int:
    """How many requests this configuration was asked, of all that the endpoint ran; without one, how many in all."""
    dimensions = {"EndpointName": endpoint_name, "VariantName": VARIANT}
    if config_name:
        dimensions["EndpointConfigName"] = config_name
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=max(since, now - LONGEST_LOOK_BACK),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum"],
    )
    requests: float = sum(point["Sum"] for point in found["Datapoints"])
    return round(requests)


def failures_of(stack: str, *, since: datetime) -> list[str]:
    """Why resources of the stack failed since then, oldest first, of its last hundred events.

    The endpoint itself may be gone, and its reason with it.
    """
    newest = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    failed = [one for one in newest if one["Timestamp"] >= since and one.get("ResourceStatus") in FAILED]
    said = [one.get("ResourceStatusReason", "") for one in reversed(failed)]
    return [one for one in said if one and "cancelled" not in one]


@dataclass(frozen=True)
class Versions:
    """The models and endpoint configurations that there are; take this before looking whether Serving is at rest.

    What an update makes after that is not among them, and so is never collected.
    """

    configs: list[str]
    models: list[str]


def versions(deployment: str) -> Versions:
    sagemaker = aws.client("sagemaker")
    pages = sagemaker.get_paginator("list_endpoint_configs").paginate(NameContains=f"{deployment}-")
    configs = [one["EndpointConfigName"] for page in pages for one in page["EndpointConfigs"]]
    pages = sagemaker.get_paginator("list_models").paginate(NameContains=f"{deployment}-")
    return Versions(configs, [one["ModelName"] for page in pages for one in page["Models"]])


def collect(deployment: str, there: Versions, observed: Observed) -> list[str]:
    """Delete those of this deployment that nothing runs; returns their names."""
    sagemaker = aws.client("sagemaker")
    configs = leftovers(deployment, there.configs, observed)
    models = leftovers(deployment, there.models, observed)
    for name in configs:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
    for name in models:
        sagemaker.delete_model(ModelName=name)
    return sorted({*configs, *models})
