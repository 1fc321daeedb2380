"""Private touches on moto's CodePipeline, CodeBuild and Service Quotas: our engine answers all, moto nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moto.codebuild.responses import CodeBuildResponse
from moto.codepipeline.responses import CodePipelineResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.servicequotas.responses import ServiceQuotasResponse

from rehearsal.engine.account import Unsupported

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Handler = Callable[[dict[str, Any]], Any]
RESPONSES: dict[str, Any] = {
    "codepipeline": CodePipelineResponse,
    "codebuild": CodeBuildResponse,
    "service-quotas": ServiceQuotasResponse,
}


def error(code: str, message: str) -> JsonRESTError:
    """An API error that the caller's boto3 sees as ClientError with this code and message."""
    return JsonRESTError(code, message)


def answer(account: Account, service: str, handlers: Mapping[str, Handler]) -> None:
    """Let `handlers` (by operation name) answer a service; every other operation is refused by name."""
    for operation in get_service_model(service).operation_names:
        _answer(
            account, RESPONSES[service], operation, handlers.get(operation) or _refusal(service, operation)
        )


def _refusal(service: str, operation: str) -> Handler:
    def refuse(_: dict[str, Any]) -> None:
        raise Unsupported(f"{service} {operation}: not built; build it in rehearsal/engine/")

    return refuse


def _answer(account: Account, owner: Any, operation: str, handler: Handler) -> None:
    name = camelcase_to_underscores(operation)
    before = vars(owner).get(name)

    def method(self: Any) -> ActionResult:
        try:
            return ActionResult(handler(json.loads(self.body or "{}")) or {})
        except Unsupported as unsupported:
            account.journal.write("unsupported", what=str(unsupported))
            raise error("UnsupportedOperation", str(unsupported)) from unsupported

    def undo() -> None:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    setattr(owner, name, method)
    account.on_close(undo)
