"""SageMaker endpoints: create, update (blue/green, all at once), delete, invoke."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rehearsal.engine import hosting
from rehearsal.engine.account import Account
from rehearsal.engine.capture import Capture
from rehearsal.engine.endpoint_configs import EndpointConfigs
from rehearsal.engine.endpoint_metrics import EndpointMetrics
from rehearsal.engine.invocations import Serving, refusal
from rehearsal.engine.jobs import page
from rehearsal.engine.models import Models
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.moto_seams.sagemaker import Invocation, Response

EVENT_STATUS = {"InService": "IN_SERVICE", "Failed": "FAILED", "Deleting": "DELETING"}


@dataclass
class Endpoint:
    """An endpoint as the API shows it, and what serves it."""

    name: str
    arn: str
    config: dict[str, Any]
    created: datetime
    modified: datetime
    status: str = "Creating"
    failure_reason: str | None = None
    deployment_config: dict[str, Any] | None = None
    serving: Serving | None = None
    deployments: int = 0


class Endpoints:
    """The endpoints of an account: the API's handlers."""

    def __init__(self, account: Account, configs: EndpointConfigs) -> None:
        self._account = account
        self._configs = configs
        self._endpoints: dict[str, Endpoint] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        if name in self._endpoints:
            raise seam.error(
                "ValidationException", f'Cannot create already existing endpoint "{self._arn(name)}".'
            )
        now = self._account.clock.now()
        config = self._configs.get(request["EndpointConfigName"])
        endpoint = Endpoint(name, self._arn(name), config, now, now)
        endpoint.deployment_config = request.get("DeploymentConfig")
        self._endpoints[name] = endpoint
        self._deploy(endpoint, config)
        return {"EndpointArn": endpoint.arn}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoint(request["EndpointName"])
        config = self._configs.get(request["EndpointConfigName"])
        if endpoint.status == "Failed":
            raise seam.error(
                "ValidationException", f'Endpoint "{endpoint.arn}" is Failed; it can only be deleted.'
            )
        if "DeploymentConfig" in request:
            endpoint.deployment_config = request["DeploymentConfig"]
        self._deploy(endpoint, config)
        return {"EndpointArn": endpoint.arn}

    def delete(self, request: dict[str, Any]) -> None:
        endpoint = self._endpoint(request["EndpointName"])
        if endpoint.serving:
            endpoint.serving.retire()
        del self._endpoints[endpoint.name]
        endpoint.status = "Deleting"
        self._tell(endpoint)

    def _deploy(self, endpoint: Endpoint, config: dict[str, Any]) -> None:
        """Start the new container; only once it is healthy does the old one stop."""
        old = endpoint.serving
        endpoint.deployments += 1
        try:
            endpoint.serving = self._started(endpoint, config)
        except hosting.DeploymentFailed as failed:
            endpoint.status = "InService" if old else "Failed"
            endpoint.failure_reason = str(failed)
        else:
            endpoint.status, endpoint.failure_reason, endpoint.config = "InService", None, config
            if old:
                old.retire()
        endpoint.modified = self._account.clock.now()
        self._tell(endpoint)

    def _started(self, endpoint: Endpoint, config: dict[str, Any]) -> Serving:
        variant = config["ProductionVariants"][0]
        host = hosting.start(self._account, endpoint.name, variant, endpoint.deployments)
        try:
            host.wait_until_healthy()
        except hosting.DeploymentFailed:
            host.stop()
            raise
        name = variant["VariantName"]
        seen = endpoint.serving.capture.seen if endpoint.serving else 0
        wanted = config.get("DataCaptureConfig", {})
        capture = Capture(self._account, endpoint.name, name, wanted, host.role_arn, seen)
        metrics = EndpointMetrics(self._account, endpoint.name, name)
        return Serving(self._account, host, metrics, capture)

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoint(request["EndpointName"])
        described = {
            **_summary(endpoint),
            "EndpointConfigName": endpoint.config["EndpointConfigName"],
            "ProductionVariants": [_variant(endpoint)] if endpoint.serving else [],
        }
        capture = endpoint.config.get("DataCaptureConfig")
        if capture:
            enabled = capture.get("EnableCapture", False)
            described["DataCaptureConfig"] = {
                "EnableCapture": enabled,
                "CaptureStatus": "Started" if enabled else "Stopped",
                "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
                "DestinationS3Uri": capture["DestinationS3Uri"],
                "KmsKeyId": capture.get("KmsKeyId", ""),
            }
        if endpoint.failure_reason:
            described["FailureReason"] = endpoint.failure_reason
        if endpoint.deployment_config:
            described["LastDeploymentConfig"] = endpoint.deployment_config
        return described

    def list_endpoints(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            _summary(endpoint)
            for endpoint in self._endpoints.values()
            if request.get("NameContains", "") in endpoint.name
            and request.get("StatusEquals") in (None, endpoint.status)
        ]
        return page(found, request, "Endpoints")

    def invoke(self, request: Invocation) -> Response:
        endpoint = self._endpoints.get(request.endpoint)
        if endpoint is None or endpoint.serving is None:
            what = f"Endpoint {request.endpoint} of account {self._account.id} not found."
            return refusal(400, "ValidationError", what)
        return endpoint.serving.answer(request)

    def on_advance(self) -> None:
        for endpoint in self._endpoints.values():
            if endpoint.serving:
                endpoint.serving.on_advance()

    def _arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:endpoint/{name}"

    def _endpoint(self, name: str) -> Endpoint:
        if name not in self._endpoints:
            raise seam.error("ValidationException", f'Could not find endpoint "{self._arn(name)}".')
        return self._endpoints[name]

    def _tell(self, endpoint: Endpoint) -> None:
        config = endpoint.config
        self._account.journal.write(
            "endpoint",
            endpoint=endpoint.name,
            status=endpoint.status,
            config=config["EndpointConfigName"],
            model=config["ProductionVariants"][0]["ModelName"],
            **({"reason": endpoint.failure_reason} if endpoint.failure_reason else {}),
        )
        detail = {
            "EndpointName": endpoint.name,
            "EndpointArn": endpoint.arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": EVENT_STATUS[endpoint.status],
            "CreationTime": int(endpoint.created.timestamp() * 1000),
            "LastModifiedTime": int(endpoint.modified.timestamp() * 1000),
        }
        self._account.defer(
            f"event of {endpoint.arn}",
            lambda: self._account.put_event(
                "aws.sagemaker", "SageMaker Endpoint State Change", detail, [endpoint.arn]
            ),
        )


def _summary(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointStatus": endpoint.status,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }


def _variant(endpoint: Endpoint) -> dict[str, Any]:
    assert endpoint.serving is not None
    variant, image = endpoint.serving.host.variant, endpoint.serving.host.image_uri
    weight = variant.get("InitialVariantWeight", 1.0)
    described = {
        "VariantName": variant["VariantName"],
        "DeployedImages": [
            {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint.modified}
        ],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if "ServerlessConfig" in variant:
        serverless = variant["ServerlessConfig"]
        return {**described, "CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless}
    count = variant.get("InitialInstanceCount", 1)
    pools = sorted(variant.get("InstancePools", []), key=lambda pool: pool["Priority"])
    if pools:  # the first preference always has capacity here
        described["InstancePools"] = [
            {"InstanceType": pool["InstanceType"], "CurrentInstanceCount": 0 if place else count}
            for place, pool in enumerate(pools)
        ]
    return {**described, "CurrentInstanceCount": count, "DesiredInstanceCount": count}


def install(account: Account) -> None:
    """Let this account's endpoints be processes."""
    configs = EndpointConfigs(account)
    endpoints = Endpoints(account, configs)
    seam.answer(
        account,
        {
            "CreateModel": Models(account).create,
            "CreateEndpointConfig": configs.create,
            "DescribeEndpointConfig": configs.describe,
            "ListEndpointConfigs": configs.list_configs,
            "DeleteEndpointConfig": configs.delete,
            "CreateEndpoint": endpoints.create,
            "UpdateEndpoint": endpoints.update,
            "DescribeEndpoint": endpoints.describe,
            "ListEndpoints": endpoints.list_endpoints,
            "DeleteEndpoint": endpoints.delete,
        },
    )
    seam.answer_invocations(account, endpoints.invoke)
    account.on_advance.append(endpoints.on_advance)
