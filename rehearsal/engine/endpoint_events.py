"""What an endpoint tells EventBridge and the journal of its state and of its deployments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rehearsal.engine.account import Account
from rehearsal.engine.endpoint_state import Endpoint, described, variant_of

STATUSES = {
    "InService": "IN_SERVICE",
    "Failed": "FAILED",
    "Deleting": "DELETING",
    "Updating": "UPDATING",
}


def tell_state(account: Account, endpoint: Endpoint) -> None:
    """The endpoint has a new status."""
    account.journal.write(
        "endpoint",
        endpoint=endpoint.name,
        status=endpoint.status,
        config=endpoint.config["EndpointConfigName"],
        model=variant_of(endpoint.config)["ModelName"],
        **({"reason": endpoint.failure_reason} if endpoint.failure_reason else {}),
    )
    _send(account, endpoint, "SageMaker Endpoint State Change", _detail(endpoint))


def tell_deployment(account: Account, endpoint: Endpoint) -> None:
    """A deployment has come a step further."""
    pending = endpoint.pending
    assert pending
    account.journal.write(
        "deployment",
        endpoint=endpoint.name,
        config=pending.config["EndpointConfigName"],
        stage=pending.stage,
        active_instances=pending.active_instances,
        instances=pending.instances,
        what=pending.said,
    )
    shown = described(endpoint)
    detail = {
        **_detail(endpoint),
        "ProductionVariants": shown["ProductionVariants"],
        "Tags": {},
        "PendingDeploymentSummary": shown["PendingDeploymentSummary"],
    }
    _send(account, endpoint, "SageMaker Endpoint Deployment State Change", _plain(detail))


def _detail(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config["EndpointConfigName"],
        "EndpointStatus": STATUSES[endpoint.status],
        "CreationTime": _plain(endpoint.created),
        "LastModifiedTime": _plain(endpoint.modified),
    }


def _send(account: Account, endpoint: Endpoint, detail_type: str, detail: dict[str, Any]) -> None:
    account.defer(
        f"event of {endpoint.arn}",
        lambda: account.put_event("aws.sagemaker", detail_type, detail, [endpoint.arn]),
    )


def _plain(value: Any) -> Any:
    """Times as the milliseconds that events carry."""
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
