"""AWS Lambda: runs deployed functions in warm child processes, synchronously or as Lambda's asynchronous queue does."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine import embedded_metrics, function_packages, function_roles, roles, service_metrics
from rehearsal.engine.account import Unsupported
from rehearsal.engine.function_roles import LAMBDA
from rehearsal.engine.moto_seams import functions as seam
from rehearsal.engine.moto_seams.functions import Function, InvokeRequest, InvokeResponse
from rehearsal.engine.worker_pool import (
    INITIALISATION_SECONDS,
    ExitedError,
    TimedOutError,
    Worker,
    WorkerPool,
    unzip,
)

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")

_pools: WeakKeyDictionary[Account, WorkerPool] = WeakKeyDictionary()


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: the handler's result, or AWS's error object."""

    ok: bool
    payload: Any
    log: str = ""


def install(account: Account) -> None:
    pool = WorkerPool(account.directory / "functions")
    _pools[account] = pool
    account.on_close(pool.close)

    def refuse(name: str) -> None:
        what = (
            f"an invocation of the function {name} by SNS or an S3 notification. Use EventBridge or a queue, or build "
            "it in rehearsal/engine/functions.py."
        )
        account.journal.write("unsupported", what=what)  # moto swallows what S3's notifications raise
        raise Unsupported(what)

    seam.install(account, on_invoke=lambda request: _answer(account, request), refuse=refuse)


def fork_workers(account: Account) -> None:
    """Start functions by forks of a process that has imported AWS's runtime, where there are many starts."""
    _pools[account].fork_workers()


def invoke(account: Account, name_or_arn: str, event: Any, *, attempt: int = 1) -> Outcome:
    """Run the function now and wait for it; every ending is journaled."""
    function = seam.find(account, name_or_arn)
    event = json.loads(json.dumps(event))
    if function is None:
        name = name_or_arn.rsplit(":", 1)[-1]
        outcome = _failed("ResourceNotFoundException", f"Function not found: {name_or_arn}")
    else:
        _refuse_unbuilt(function)
        name = function.name
        outcome = _run(account, function, event)
    facts: dict[str, Any] = {"function": name, "ok": outcome.ok, "attempt": attempt, "event": event}
    if function and "aws:cloudformation:logical-id" in function.tags:
        facts["logical_id"] = function.tags["aws:cloudformation:logical-id"]
    facts |= {"result": outcome.payload} if outcome.ok else {"error": outcome.payload}
    account.journal.write("invocation", **facts)
    service_metrics.record_invocation(account, name, ok=outcome.ok)
    return outcome


def invoke_later(
    account: Account, arn: str, event: Any, *, event_id: str | None = None, attempt: int = 1
) -> None:
    """Put an asynchronous invocation on the queue: function errors are tried again, then dead-lettered."""

    def act() -> None:
        outcome = invoke(account, arn, event, attempt=attempt)
        function = seam.find(account, arn)
        if outcome.ok or function is None:
            return
        if attempt <= function.retries:
            invoke_later(account, arn, event, event_id=event_id, attempt=attempt + 1)
        else:
            _give_up(account, function, event, outcome, event_id)

    account.at_least_once.deliver(f"invoke {arn}", act)


def _failed(error_type: str, message: str) -> Outcome:
    return Outcome(False, {"errorMessage": message, "errorType": error_type, "stackTrace": []})


def _refuse_unbuilt(function: Function) -> None:
    for unbuilt, feature in (
        (function.package_type != "Zip", f"PackageType {function.package_type}"),
        (function.has_layers, "Layers"),
        (not function.runtime.startswith("python"), f"Runtime {function.runtime}"),
    ):
        if unbuilt:
            raise Unsupported(
                f"AWS::Lambda::Function {function.name} uses {feature}; the local account runs Python zip functions "
                "without layers. Build it in rehearsal/engine/functions.py."
            )


def _run(account: Account, function: Function, event: Any) -> Outcome:
    request_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{len(account.journal.entries)}/{function.arn}"))
    instance = uuid.uuid5(uuid.NAMESPACE_URL, function.arn).hex
    stream = f"{account.clock.now():%Y/%m/%d}/[{function.version}]{instance}"
    message = {
        "request_id": request_id,
        "event": event,
        "now": account.clock.now().timestamp(),
        "timeout_seconds": function.timeout_seconds,
        "function_arn": function.arn,
        "log_group": function.log_group,
        "log_stream": stream,
    }
    try:
        worker, response = _started(account, function)
    except PermissionError as refusal:
        return _failed("AccessDeniedException", str(refusal))
    if "ok" in response:
        response = _ask(worker, message, function.timeout_seconds)
    output = worker.new_output()
    _pools[account].give_back(worker, healthy=not response.get("dead"))
    lines = [f"START RequestId: {request_id} Version: {function.version}", *output.splitlines()]
    _log(account, function, stream, [*lines, f"END RequestId: {request_id}"])
    if "ok" in response:
        return Outcome(True, response["ok"], output)
    return Outcome(False, response["error"], output)


def _started(account: Account, function: Function) -> tuple[Worker, dict[str, Any]]:
    """A worker that has imported the handler, or one whose import failed, with its answer."""
    pool = _pools[account]
    worker = pool.take(function)
    if worker:
        return worker, {"ok": None}
    worker = pool.start(function, _environment(account, function, pool))
    response = _ask(worker, {"now": account.clock.now().timestamp()}, INITIALISATION_SECONDS)
    return worker, response if "ok" in response else {**response, "dead": True}


def _ask(worker: Worker, message: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """The worker's answer, or the error that AWS reports for a child that is late or gone."""
    try:
        return worker.ask(message, timeout_seconds)
    except TimedOutError:
        error_type, text = "Sandbox.Timedout", f"Task timed out after {timeout_seconds:.2f} seconds"
    except ExitedError as exited:
        error_type, text = "Runtime.ExitError", f"Runtime exited with error: {exited}"
    request_id = message.get("request_id", "initialisation")
    return {
        "error": {
            "errorMessage": f"RequestId: {request_id} Error: {text}",
            "errorType": error_type,
            "stackTrace": [],
        },
        "dead": True,
    }


def _environment(account: Account, function: Function, pool: WorkerPool) -> dict[str, str]:
    function_roles.require_key(account, function)
    scratch = pool.directory / "tmp"
    scratch.mkdir(exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        **function.environment,
        **roles.credentials(account, function.role_arn, LAMBDA),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_REGION": account.region,
        "LAMBDA_TASK_ROOT": str(_code(account, function, pool)),
        "_HANDLER": function.handler,
        "TZ": "UTC",
    }


def _code(account: Account, function: Function, pool: WorkerPool) -> Path:
    directory = unzip(function.code, pool.directory)
    packages = function_packages.provide(directory, function.handler)
    if packages:
        account.journal.write("note", what=f"{function.name} runs with this machine's {', '.join(packages)}")
    return directory


def _log(account: Account, function: Function, stream: str, lines: list[str]) -> None:
    """Lambda writes logs with the function's own role: without the permission there are none."""
    resource = (
        f"arn:aws:logs:{account.region}:{account.id}:log-group:{function.log_group}:log-stream:{stream}"
    )
    if not any(_refusal(account, function, action, resource) for action in LOG_ACTIONS):
        seam.write_log(account, function.log_group, stream, lines)
        embedded_metrics.publish(account, function.log_group, lines)


def _refusal(account: Account, function: Function, action: str, resource: str) -> str | None:
    return roles.refusal(account, function.role_arn, LAMBDA, action, resource)


def _give_up(
    account: Account, function: Function, event: Any, outcome: Outcome, event_id: str | None
) -> None:
    """Send what could not be processed to the OnFailure destination and the dead letter target, if any."""
    if function.on_failure_arn:
        record = {
            "version": "1.0",
            "timestamp": account.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "requestContext": {
                "functionArn": f"{function.arn}:{function.version}",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": function.retries + 1,
            },
            "requestPayload": event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": function.version,
                "functionError": "Unhandled",
            },
            "responsePayload": outcome.payload,
        }
        _dead_letter(account, function, function.on_failure_arn, json.dumps(record), event_id)
    if function.dead_letters_arn:
        _dead_letter(account, function, function.dead_letters_arn, json.dumps(event), event_id)


def _dead_letter(
    account: Account, function: Function, target_arn: str, body: str, event_id: str | None
) -> None:
    facts: dict[str, Any] = {"queue": target_arn.rsplit(":", 1)[-1], "function": function.name}
    if event_id:
        facts["event_id"] = event_id
    service = target_arn.split(":")[2]
    action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(service)
    if action is None:
        raise Unsupported(
            f"the failure destination {target_arn} of function {function.name}: the local account sends to SQS and "
            "SNS. Build it in rehearsal/engine/functions.py."
        )
    refused = _refusal(account, function, action, target_arn)
    if refused:
        facts["error"] = refused
    elif service == "sqs":
        queue_url = account.client("sqs").get_queue_url(QueueName=facts["queue"])["QueueUrl"]
        account.client("sqs").send_message(QueueUrl=queue_url, MessageBody=body)
    else:
        account.client("sns").publish(TopicArn=target_arn, Message=body)
    account.journal.write("dead-letter", **facts)


def _answer(account: Account, request: InvokeRequest) -> InvokeResponse:
    """The Invoke API: what may be sent, and what comes back."""
    function = request.function
    try:
        event = json.loads(request.body or "{}")
    except ValueError as error:
        return _api_error(
            400, "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        )
    if request.invocation_type == "DryRun":
        return InvokeResponse(204, "")
    if request.invocation_type == "Event":
        invoke_later(account, function.arn, event)
        return InvokeResponse(202, "")
    try:
        outcome = invoke(account, function.arn, event)
    except Unsupported as unsupported:
        account.journal.write("unsupported", what=str(unsupported))
        return _api_error(501, "Unsupported", str(unsupported))
    return InvokeResponse(200, json.dumps(outcome.payload), function_error=not outcome.ok, log=outcome.log)


def _api_error(status: int, error_type: str, message: str) -> InvokeResponse:
    return InvokeResponse(status, json.dumps({"Message": message}), error_type=error_type)
