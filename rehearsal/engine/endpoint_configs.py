"""Endpoint configurations: the rules of CreateEndpointConfig that a shape does not carry."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine.account import Account, Unsupported
from rehearsal.engine.jobs import page
from rehearsal.engine.moto_seams import sagemaker as seam

HARDWARE = ("InstanceType", "InstancePools", "ServerlessConfig")
NOT_BUILT = ("ShadowProductionVariants", "AsyncInferenceConfig", "ExplainerConfig")


class EndpointConfigs:
    """The endpoint configurations of an account: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._configs: dict[str, dict[str, Any]] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointConfigName"]
        arn = self._arn(name)
        if name in self._configs:
            raise seam.error(
                "ValidationException", f'Cannot create already existing endpoint configuration "{arn}".'
            )
        for variant in request["ProductionVariants"]:
            _check_variant(variant)
            self._check_model(variant)
        _check_capture(request)
        _refuse_what_is_not_built(request)
        self._configs[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "EndpointConfigArn": arn,
            "CreationTime": self._account.clock.now(),
        }
        return {"EndpointConfigArn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.get(request["EndpointConfigName"])

    def list_configs(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("NameContains", "")
        found = [config for name, config in self._configs.items() if wanted in name]
        return page(found, request, "EndpointConfigs")

    def delete(self, request: dict[str, Any]) -> None:
        del self._configs[self.get(request["EndpointConfigName"])["EndpointConfigName"]]

    def get(self, name: str) -> dict[str, Any]:
        if name not in self._configs:
            raise seam.error(
                "ValidationException", f'Could not find endpoint configuration "{self._arn(name)}".'
            )
        return self._configs[name]

    def _arn(self, name: str) -> str:
        return f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:endpoint-config/{name}"

    def _check_model(self, variant: dict[str, Any]) -> None:
        name = variant.get("ModelName", "")
        try:
            self._account.client("sagemaker").describe_model(ModelName=name)
        except ClientError as error:
            arn = f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:model/{name}"
            raise seam.error("ValidationException", f'Could not find model "{arn}".') from error


def _check_variant(variant: dict[str, Any]) -> None:
    name, given = variant["VariantName"], [key for key in HARDWARE if key in variant]
    if len(given) != 1:
        raise seam.error(
            "ValidationException",
            f"Production variant {name} needs exactly one of {', '.join(HARDWARE)}; got {given or 'none'}",
        )
    types = [pool["InstanceType"] for pool in variant.get("InstancePools", [])]
    priorities = [pool["Priority"] for pool in variant.get("InstancePools", [])]
    for what, values in (("instance type", types), ("priority", priorities)):
        if len(set(values)) < len(values):
            raise seam.error(
                "ValidationException", f"InstancePools of variant {name} name one {what} twice: {values}"
            )


def _check_capture(request: dict[str, Any]) -> None:
    capture = request.get("DataCaptureConfig", {}).get("EnableCapture")
    if capture and any("ServerlessConfig" in variant for variant in request["ProductionVariants"]):
        raise seam.error("ValidationException", "Data capture is not supported for serverless endpoints.")


def _refuse_what_is_not_built(request: dict[str, Any]) -> None:
    variants = request["ProductionVariants"]
    missing = {
        **{key: key in request for key in NOT_BUILT},
        "more than one production variant": len(variants) > 1,
        "ModelNameOverride": any(
            "ModelNameOverride" in pool for variant in variants for pool in variant.get("InstancePools", [])
        ),
    }
    for what, is_used in missing.items():
        if is_used:
            raise Unsupported(
                f"Endpoint configuration {request['EndpointConfigName']}: {what}; "
                "build it in rehearsal/engine/endpoints.py"
            )
