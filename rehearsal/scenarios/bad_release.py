"""A release that must not stay: a model that passes its gate and breaks its alarms under load."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rehearsal.scenarios.deployment import ROOT, Deployment
from rehearsal.scenarios.load import STANDARD, find

LONGEST_RELEASE = timedelta(hours=2)
"""Training is behind it; what is left are the bakes there and back."""
NOT_A_TIE = """

_tied = estimator


def estimator():
    return _tied().set_params(histgradientboostingclassifier__max_iter=90)
"""
"""Trained on the very same rows, it would answer as the champion does, and a tie keeps the champion."""


@dataclass(frozen=True)
class Ended:
    """How one release ended, as the deployment itself has it."""

    release_id: str
    package_arn: str
    outcome: str
    stack_status: str
    approval: str


def push_slow_model(deployment: Deployment) -> str:
    """Change training/model.py as a person would, build the image from it, and deploy Training with it."""
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch)
        for folder in ("domain", "training", "requirements"):
            shutil.copytree(ROOT / folder, context / folder, ignore=shutil.ignore_patterns("__pycache__"))
        [slow] = [push for push in find(STANDARD).pushes() if push.end == "rolled-back"]
        for path, text in slow.changes.items():
            (context / path).write_text(text or "")
        with (context / "training/model.py").open("a") as model:
            model.write(NOT_A_TIE)
        return deployment.push_image(context, tag="slow")


def train(deployment: Deployment, image_digest: str) -> dict[str, Any]:
    """Ask for a run as a push does; with `approval: automatic` its package is released at once."""
    answer = deployment.call("start_training", {"cause": "push", "incident": image_digest})
    deployment.account.pump()
    return answer


def approve(deployment: Deployment, package_arn: str) -> None:
    """What a person does in the registry: what is Approved already is put back first, or nothing would change."""
    sagemaker = deployment.account.client("sagemaker")
    for status in ("PendingManualApproval", "Approved"):
        sagemaker.update_model_package(ModelPackageArn=package_arn, ModelApprovalStatus=status)
    deployment.account.pump()


def reject(deployment: Deployment, package_arn: str) -> None:
    """What a person does in the registry to what serves; `./tideline rollback` does the same."""
    deployment.account.client("sagemaker").update_model_package(
        ModelPackageArn=package_arn, ModelApprovalStatus="Rejected"
    )
    deployment.account.pump()


def see_it_end(deployment: Deployment) -> Ended:
    """Live until no release is in flight any more, and tell how the last one ended."""
    account = deployment.account
    account.advance_to(account.clock.now() + LONGEST_RELEASE)
    last = deployment.ledger_bodies("RELEASE")[-1]
    stack = account.client("cloudformation").describe_stacks(StackName=deployment.names.stack("serving"))
    package = account.client("sagemaker").describe_model_package(ModelPackageName=last["package_arn"])
    return Ended(
        last["release_id"],
        last["package_arn"],
        last["outcome"],
        stack["Stacks"][0]["StackStatus"],
        package["ModelApprovalStatus"],
    )


def running_config(deployment: Deployment) -> str:
    """The configuration that the endpoint runs."""
    found = deployment.account.client("sagemaker").describe_endpoint(EndpointName=deployment.names.endpoint)
    return str(found["EndpointConfigName"])
