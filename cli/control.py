"""What an operator tells a deployment: stop all that acts by itself, and release this package."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from cli.show import Bodies
from cli.source import CommandError
from domain.decision import Decision
from domain.events import iso
from domain.releases import held_release, model_stamp
from domain.returning import decide_return, good_before


def set_paused(dynamodb: Any, table: str, paused: bool, *, by: str, now: datetime) -> None:
    """Write the switch that every handler reads."""
    body = {"paused": paused, "by": by, "at": iso(now)}
    item = {"pk": {"S": "CONTROL"}, "sk": {"S": "paused"}, "body": {"S": json.dumps(body, sort_keys=True)}}
    dynamodb.put_item(TableName=table, Item=item)


def packages(sagemaker: Any, group: str) -> dict[int, dict[str, Any]]:
    """The versions of the group, as the registry lists them."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return {p["ModelPackageVersion"]: p for page in pages for p in page["ModelPackageSummaryList"]}


def approve(sagemaker: Any, group: str, version: int) -> str:
    """Approve a version of the group; returns what was done.

    AWS tells of a change of the approval, not of an approval that was there: what is Approved waits for approval first.
    Raises CommandError if there is no such version.
    """
    versions = packages(sagemaker, group)
    if version not in versions:
        raise CommandError(f"{group} has no version {version}; it has: {sorted(versions) or 'none'}")
    arn, was = versions[version]["ModelPackageArn"], versions[version].get("ModelApprovalStatus")
    statuses = ("PendingManualApproval", "Approved") if was == "Approved" else ("Approved",)
    for status in statuses:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
    again = ", which was Approved already: put back to pending first" if was == "Approved" else ""
    return f"approved {arn}{again}; release_model takes it from here"


def rollback(sagemaker: Any, group: str, bodies: Bodies, *, reason: str) -> Decision:
    """Reject what serves, so that release_model brings back what was live before it; decides first what will come.

    Nothing is rejected where there is nothing to return to.
    """
    releases, champions = bodies("RELEASE"), bodies("CHAMPION")
    held = held_release(releases)
    serving = held or (champions[0] if champions else None)
    if serving is None:
        raise CommandError("no model is live, so there is nothing to roll back")
    live = serving["package_arn"]
    for opened in bodies("LEASE"):
        raise CommandError(
            f"release {opened['release_id']} of {model_stamp(opened['package_arn'])} is being made and has not ended, "
            "so what serves may change: wait for its end (`./tideline status`); its alarms end a bad one"
        )
    approved = {
        p["ModelPackageArn"]
        for p in packages(sagemaker, group).values()
        if p["ModelApprovalStatus"] == "Approved"
    }
    good = next((arn for arn in good_before(live, releases) if arn in approved), None)
    decision = decide_return(live, approval="Rejected", serving=live, good=good)
    if decision.verdict == "return":
        sagemaker.update_model_package(
            ModelPackageArn=live, ModelApprovalStatus="Rejected", ApprovalDescription=reason[:1024]
        )
    return decision
