"""A noisy neighbour in the same account: each of its events differs from one of ours in a single field.

None of them may start anything here. An event that does get through tells which field a rule's pattern lacks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.engine import Account, routing

DELIVERY = "CodePipeline Action Execution State Change"
FAILURE = "CodePipeline Pipeline Execution State Change"
PUSH = "Object Created"
TRANSFORM = "SageMaker Transform Job State Change"
NEAR_MISSES: dict[str, dict[str, Any]] = {
    "CloudWatch Alarm State Change": {
        "source": "com.neighbour",
        "detail-type": "Neighbour Alarm State Change",
        "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:neighbour-loss"],
        "detail.state.value": "OK",
    },
    "SageMaker Model Package State Change": {
        "source": "com.neighbour",
        "detail-type": "Neighbour Model Package State Change",
        "detail.ModelPackageGroupName": "neighbour",
        "detail.ModelApprovalStatus": "PendingManualApproval",
    },
    "SageMaker Model Building Pipeline Execution Status Change": {
        "source": "com.neighbour",
        "detail-type": "Neighbour Pipeline Execution Status Change",
        "detail.pipelineArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/neighbour-train",
        "detail.currentPipelineExecutionStatus": "Executing",
    },
    "CloudFormation Stack Status Change": {
        "source": "com.neighbour",
        "detail-type": "Neighbour Stack Status Change",
        "detail.stack-id": "arn:aws:cloudformation:us-east-1:123456789012:stack/neighbour-serving/1",
        "detail.status-details.status": "UPDATE_IN_PROGRESS",
    },
    TRANSFORM: {
        "source": "com.neighbour",
        "detail-type": "Neighbour Transform Job State Change",
        "detail.TransformJobName": "neighbour-20130301-0200",
        "detail.TransformJobStatus": "InProgress",
    },
    DELIVERY: {
        "source": "com.neighbour",
        "detail-type": "Neighbour Action Execution State Change",
        "detail.pipeline": "neighbour-delivery",
        "detail.stage": "prod-Wait",
        "detail.state": "FAILED",
    },
    FAILURE: {
        "source": "com.neighbour",
        "detail-type": "Neighbour Pipeline Execution State Change",
        "detail.pipeline": "neighbour-delivery",
        "detail.state": "SUPERSEDED",
    },
    PUSH: {
        "source": "com.neighbour",
        "detail-type": "Neighbour Object Created",
        "detail.bucket.name": "neighbour-source",
        "detail.object.key": "neighbour.zip",
    },
}


@dataclass(frozen=True)
class NearMiss:
    """An event of the neighbour: ours of `detail_type` but for `field`."""

    id: str
    detail_type: str
    field: str
    event: dict[str, Any]


def _set(event: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".") if path.startswith("detail.") else [path]
    place = event
    for parent in parents:
        place = place[parent]
    place[last] = value


def near_misses(account: Account) -> Iterator[NearMiss]:
    """From the last event of each kind that each rule of ours took, one near miss a field."""
    events = {entry.facts["id"]: entry.facts for entry in account.journal.of("event")}
    last = {
        (events[entry.facts["event_id"]]["detail_type"], entry.facts["rule"]): events[entry.facts["event_id"]]
        for entry in account.journal.of("delivery")
        if entry.facts.get("event_id") in events
    }
    for (detail_type, rule), facts in sorted(last.items(), key=lambda item: item[0]):
        for field, value in NEAR_MISSES.get(detail_type, {}).items():
            ours = {
                "version": "0",
                "id": f"neighbour-{rule}-{detail_type}-{field}".replace(" ", "-"),
                "detail-type": detail_type,
                "source": facts["source"],
                "account": account.id,
                "time": account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": account.region,
                "resources": facts["resources"],
                "detail": copy.deepcopy(facts["detail"]),
            }
            _set(ours, field, value)
            yield NearMiss(ours["id"], detail_type, field, ours)


def make_noise(account: Account) -> list[NearMiss]:
    """Send every near miss, and let the account carry out what it causes."""
    sent = list(near_misses(account))
    for miss in sent:
        routing.route(account, miss.event)
    account.pump()
    return sent
