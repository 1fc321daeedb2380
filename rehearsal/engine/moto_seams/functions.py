"""Private touches on moto's Lambda: what a deployed function is, and who runs it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse
from moto.logs.models import logs_backends

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

KEPT_PROPERTIES = ("LoggingConfig", "DeadLetterConfig")  # moto forgets them


@dataclass(frozen=True)
class Function:
    """A deployed function, as its template describes it."""

    name: str
    arn: str
    version: str
    runtime: str
    package_type: str
    has_layers: bool
    handler: str
    role_arn: str
    environment: Mapping[str, str]
    timeout_seconds: int
    memory_mb: int
    code_sha256: str
    log_group: str
    tags: Mapping[str, str]
    retries: int
    dead_letters_arn: str | None
    on_failure_arn: str | None
    code: bytes = field(repr=False, compare=False)


@dataclass(frozen=True)
class InvokeRequest:
    """A call of the Invoke API."""

    function: Function
    body: str
    invocation_type: str


@dataclass(frozen=True)
class InvokeResponse:
    status: int
    payload: str
    error_type: str | None = None  # an API error: the function did not run
    function_error: bool = False
    log: str = ""


def find(account: Account, name_or_arn: str) -> Function | None:
    """The function of this name or ARN, if it is deployed."""
    try:
        return _facts(lambda_backends[account.id][account.region].get_function(name_or_arn))
    except UnknownFunctionException:
        return None


def policy_statements(account: Account, name_or_arn: str) -> list[dict[str, Any]]:
    """The resource policy of a deployed function: what AWS::Lambda::Permission resources have put there."""
    statements: list[dict[str, Any]] = (
        lambda_backends[account.id][account.region].get_function(name_or_arn).policy.statements
    )
    return statements


def write_log(account: Account, group: str, stream: str, lines: list[str]) -> None:
    """Append lines to a log stream at the virtual time, creating group and stream when missing."""
    logs = logs_backends[account.id][account.region]
    logs.ensure_log_group(group)
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    now_ms = int(account.clock.now().timestamp() * 1000)
    logs.put_log_events(group, stream, [{"timestamp": now_ms, "message": line} for line in lines])


def install(
    account: Account,
    on_invoke: Callable[[InvokeRequest], InvokeResponse],
    refuse: Callable[[str], None],
) -> None:
    """Send API calls to `on_invoke`; name a function that SNS or an S3 notification invokes to `refuse`."""
    _keep_properties(account)

    def invoke(response: LambdaResponse) -> tuple[int, dict[str, str], str]:
        name = unquote(response.path.rsplit("/", 2)[-2])
        function = _facts(response.backend.get_function(name, response._get_param("qualifier")))
        answer = on_invoke(
            InvokeRequest(
                function,
                response.body or "",
                response.headers.get("X-Amz-Invocation-Type", "RequestResponse"),
            )
        )
        return answer.status, _headers(answer, response.headers), answer.payload

    def service_invoke(function: LambdaFunction, *_: Any) -> str:
        refuse(function.function_name)
        return ""

    replace(account, LambdaResponse, "invoke", invoke)
    replace(account, LambdaFunction, "invoke", service_invoke)


def _facts(function: LambdaFunction) -> Function:
    kept = getattr(function, "rehearsal_properties", {})
    asynchronous = function.event_invoke_config[-1].config if function.event_invoke_config else {}
    retries = asynchronous.get("MaximumRetryAttempts")
    destinations = asynchronous.get("DestinationConfig") or {}
    return Function(
        name=function.function_name,
        arn=function.function_arn,
        version="$LATEST",
        runtime=function.run_time or "",
        package_type=function.package_type,
        has_layers=bool(function.layers),
        handler=function.handler or "",
        role_arn=function.role,
        environment={key: str(value) for key, value in function.environment_vars.items()},
        timeout_seconds=int(function.timeout),
        memory_mb=int(function.memory_size),
        code_sha256=function.code_sha_256,
        log_group=(kept.get("LoggingConfig") or {}).get("LogGroup")
        or f"/aws/lambda/{function.function_name}",
        tags=dict(function.tags),
        retries=2 if retries is None else int(retries),
        dead_letters_arn=(kept.get("DeadLetterConfig") or {}).get("TargetArn"),
        on_failure_arn=(destinations.get("OnFailure") or {}).get("Destination"),
        code=function.code_bytes,
    )


def _keep_properties(account: Account) -> None:
    """Remember what moto drops from CreateFunction and UpdateFunctionConfiguration."""

    def keep(function: LambdaFunction, source: Mapping[str, Any]) -> None:
        kept = {name: source[name] for name in KEPT_PROPERTIES if name in source}
        function.rehearsal_properties = {**getattr(function, "rehearsal_properties", {}), **kept}  # type: ignore[attr-defined]

    def init(
        function: LambdaFunction, account_id: str, spec: dict[str, Any], *args: Any, **more: Any
    ) -> None:
        original_init(function, account_id, spec, *args, **more)
        keep(function, spec)

    def update(function: LambdaFunction, updates: dict[str, Any]) -> dict[str, Any]:
        keep(function, updates)
        configuration: dict[str, Any] = original_update(function, updates)
        return configuration

    original_init = replace(account, LambdaFunction, "__init__", init)
    original_update = replace(account, LambdaFunction, "update_configuration", update)


def _headers(answer: InvokeResponse, request: Mapping[str, str]) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "status": str(answer.status),  # what moto reads the status from
        "X-Amz-Executed-Version": "$LATEST",
    }
    if answer.error_type:
        headers["x-amzn-errortype"] = answer.error_type
    if answer.function_error:
        headers["x-amz-function-error"] = "Unhandled"
    if request.get("X-Amz-Log-Type") == "Tail":
        headers["x-amz-log-result"] = base64.b64encode(answer.log[-4096:].encode()).decode()
    return headers
