"""Private touches on moto's SageMaker: who answers an operation, and how errors and raw bodies travel."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.sagemaker.exceptions import SagemakerClientError
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from rehearsal.engine import shapes
from rehearsal.engine.account import Unsupported

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Handler = Callable[[dict[str, Any]], Any]
PASS_ON = object()  # what a handler returns to let moto answer
UNSUPPORTED = "Unsupported by the local account: "  # how a caller over HTTP tells it from AWS's own refusals

# moto answers these without doing them, or looks where our resources are not.
EMPTY_PROMISES = (
    "AddTags",
    "CreateAutoMLJobV2",
    "CreateCompilationJob",
    "CreateDataQualityJobDefinition",
    "CreateHyperParameterTuningJob",
    "CreateModelBiasJobDefinition",
    "CreateModelExplainabilityJobDefinition",
    "CreateModelQualityJobDefinition",
    "DeleteTags",
    "ListTags",
    "Search",
    "StopProcessingJob",
    "StopTrainingJob",
)


@dataclass(frozen=True)
class Invocation:
    """An InvokeEndpoint request as it came over the wire."""

    endpoint: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """A raw HTTP response of the SageMaker runtime."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def error(code: str, message: str) -> SagemakerClientError:
    """An API error that the caller's boto3 sees as ClientError with this code and message."""
    return SagemakerClientError(code, message)


def answer(account: Account, handlers: Mapping[str, Handler]) -> None:
    """Let `handlers` (by operation name) answer SageMaker's requests until the account closes.

    Requests are checked against botocore's shapes first, as the service itself checks them.
    """
    for operation, handler in handlers.items():
        _replace(account, SageMakerResponse, camelcase_to_underscores(operation), handler, operation)


def refuse_empty_promises(account: Account) -> None:
    """Operations that moto only pretends to carry out stop by name instead."""
    for operation in EMPTY_PROMISES:
        answer(account, {operation: _refusal(operation)})


def answer_invocations(account: Account, handler: Callable[[Invocation], Response]) -> None:
    """Let `handler` answer InvokeEndpoint; bodies stay bytes."""

    def invoke_endpoint(self: SageMakerRuntimeResponse) -> tuple[bytes, dict[str, Any]]:
        name = self.path.split("/")[2]
        response = handler(Invocation(name, bytes(self.raw_body or b""), dict(self.headers.items())))
        return response.body, {**response.headers, "status": response.status}

    _set(account, SageMakerRuntimeResponse, "use_raw_body", True)
    _set(account, SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint)


def _refusal(operation: str) -> Handler:
    def refuse(_: dict[str, Any]) -> None:
        raise Unsupported(
            f"SageMaker {operation}: not built; build it in rehearsal/engine/jobs.py or beside it"
        )

    return refuse


def _replace(account: Account, owner: type, name: str, handler: Handler, operation: str) -> None:
    original = getattr(owner, name, None)

    def method(self: SageMakerResponse) -> Any:
        params = copy.deepcopy(dict(self.params))
        found = shapes.faults(operation, params)
        if found:
            raise error("ValidationException", shapes.message(found))
        try:
            result = handler(params)
        except Unsupported as unsupported:
            account.journal.write("unsupported", what=str(unsupported))
            raise error("ValidationException", UNSUPPORTED + str(unsupported)) from unsupported
        if result is PASS_ON and original is not None:
            return original(self)
        return ActionResult(result)

    _set(account, owner, name, method)


def _set(account: Account, owner: type, name: str, value: Any) -> None:
    inherited = name not in owner.__dict__
    before = owner.__dict__.get(name)
    setattr(owner, name, value)

    def undo() -> None:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    account.on_close(undo)
