"""What an operator tells a deployment: stop all that acts by itself, and release this package."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from cli.source import CommandError
from domain.events import iso


def set_paused(dynamodb: Any, table: str, paused: bool, *, by: str, now: datetime) -> None:
    """Write the switch that every handler reads."""
    body = {"paused": paused, "by": by, "at": iso(now)}
    item = {"pk": {"S": "CONTROL"}, "sk": {"S": "paused"}, "body": {"S": json.dumps(body, sort_keys=True)}}
    dynamodb.put_item(TableName=table, Item=item)


def approve(sagemaker: Any, group: str, version: int) -> str:
    """Approve a version of the group; returns what was done.

    AWS tells of a change of the approval, not of an approval that was there: so what is Approved is rejected first.
    Raises CommandError if there is no such version.
    """
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    versions = {p["ModelPackageVersion"]: p for page in pages for p in page["ModelPackageSummaryList"]}
    if version not in versions:
        raise CommandError(f"{group} has no version {version}; it has: {sorted(versions) or 'none'}")
    arn, was = versions[version]["ModelPackageArn"], versions[version].get("ModelApprovalStatus")
    statuses = ("Rejected", "Approved") if was == "Approved" else ("Approved",)
    for status in statuses:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)
    again = ", which was Approved already: rejected and approved again" if was == "Approved" else ""
    return f"approved {arn}{again}; release_model takes it from here"
