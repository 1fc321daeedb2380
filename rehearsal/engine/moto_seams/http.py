"""Private touches on moto's HTTP server: each request as an operation with its parameters, before moto answers it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.core import errors
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request as HttpRequest
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug.exceptions import NotFound

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")
SIGNED_AS = {"monitoring": "cloudwatch", "servicequotas": "service-quotas", "states": "stepfunctions"}
"""boto3's names of services that sign with another one."""
FORBIDDEN = 403


@dataclass(frozen=True)
class Request:
    """A signed request: whose key, and what it asks for in boto3's names."""

    access_key: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    is_query: bool


@dataclass(frozen=True)
class Refusal:
    """The error that answers a request in moto's place."""

    code: str
    message: str


class _Refused(ServiceException):
    """moto looks up an error's shape by the module of its class: one of moto's own would be a service "core"."""


def guard(account: Account, check: Callable[[Request], Refusal | None]) -> None:
    """Ask `check` about every signed request; what it refuses never reaches moto."""

    def serve(app: DomainDispatcherApplication, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        signature = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signature is None:
            return original(app, environ, start)
        service = _service(signature[2], environ)
        try:
            operation, request = _read(signature[1], service, environ)
        except NotFound:
            return original(app, environ, start)  # moto answers that there is no such operation
        refusal = check(request)
        if refusal is None:
            return original(app, environ, start)
        return _answer(operation, request, refusal, environ, start)

    known = [*errors.COMMON_ERROR_CODES, "AccessDenied", "AccessDeniedException", "Unsupported"]
    replace(
        account, errors, "COMMON_ERROR_CODES", known
    )  # moto warns of codes that a service does not declare
    original = replace(account, DomainDispatcherApplication, "__call__", serve)


def _service(signed_as: str, environ: Mapping[str, Any]) -> str:
    if signed_as == "sagemaker" and environ["PATH_INFO"].startswith("/endpoints/"):
        return "sagemaker-runtime"
    return SIGNED_AS.get(signed_as, signed_as)


def _read(access_key: str, service: str, environ: dict[str, Any]) -> tuple[OperationModel, Request]:
    """The operation by moto's own router and parsers; the body is put back for moto."""
    is_object = service == "s3" and environ["REQUEST_METHOD"] != "POST"
    body = b"" if is_object else environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if not is_object:
        environ["wsgi.input"] = io.BytesIO(body)
    request = HttpRequest({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    model = get_service_model(service)
    operation, labels = get_service_router(service).match(request)
    protocol = determine_request_protocol(model, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](operation)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": labels,
        }
    )
    is_query = protocol == "query" or "awsQueryCompatible" in model.metadata
    return operation, Request(access_key, service, str(operation.name), dict(parsed or {}), is_query)


def _answer(
    operation: OperationModel,
    request: Request,
    refusal: Refusal,
    environ: Mapping[str, Any],
    start: Callable[..., Any],
) -> Iterable[bytes]:
    """The error in the service's own protocol; to HEAD there is no body, so boto3 says "403 Forbidden"."""
    model: ServiceModel = operation.service_model
    protocol = determine_request_protocol(model, environ.get("CONTENT_TYPE"))
    error = _Refused(refusal.code, refusal.message)
    response = get_serializer_class(request.service, protocol)(operation).serialize(error)
    is_rpc = protocol == "json"
    status = int(response["status_code"]) if is_rpc else FORBIDDEN
    start(f"{status} Refused", [(name, str(value)) for name, value in response["headers"].items()])
    body = response["body"]
    if environ["REQUEST_METHOD"] == "HEAD":
        return [b""]
    return [body.encode() if isinstance(body, str) else body]
