"""What the request of a training or processing job says, wherever its kind keeps it."""

from __future__ import annotations

from typing import Any


def step_name(request: dict[str, Any]) -> str:
    """The step of a pipeline that asks for the job; empty for a job of its own."""
    return str(request.get("ExperimentConfig", {}).get("TrialComponentDisplayName", ""))


def image_uri(request: dict[str, Any]) -> str:
    if "TransformResources" in request:
        return str(request["Container"]["Image"])
    if "AlgorithmSpecification" in request:
        return str(request["AlgorithmSpecification"]["TrainingImage"])
    return str(request["AppSpecification"]["ImageUri"])


def asked_type(request: dict[str, Any]) -> str:
    """The instance type that is asked for, of several the first."""
    if "ProcessingResources" in request:
        return str(request["ProcessingResources"]["ClusterConfig"]["InstanceType"])
    if "TransformResources" in request:
        return str(request["TransformResources"]["InstanceType"])
    resources = request["ResourceConfig"]
    return str(resources.get("InstanceType") or resources["InstancePreferences"][0]["InstanceType"])
