"""A batch transform: the model's own server, asked for each part of each input file, and its answers put together."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.engine import containers, roles
from rehearsal.engine.account import Account, Unsupported
from rehearsal.engine.execution_roles import SAGEMAKER
from rehearsal.engine.hosting import STOP_GRACE_SECONDS, DeploymentFailed, Host, container_of, free_port
from rehearsal.engine.jobs import Job, Jobs, Kind, Outcome
from rehearsal.engine.moto_seams import sagemaker as seam
from rehearsal.engine.s3_transfer import extract

TRANSFORM = Kind(
    "Transform",
    "transform-job",
    "/aws/sagemaker/TransformJobs",
    ("Tags", "RoleArn", "Container", "EnableNetworkIsolation"),
    told=("ModelName", "TransformInput", "TransformOutput", "TransformResources"),
)
MIB = 1024 * 1024
LARGEST_PAYLOAD_MIB = 6
"""Of a request, where neither the job nor the container says another."""
STRATEGIES = {"MultiRecord": "MULTI_RECORD", "SingleRecord": "SINGLE_RECORD"}
SEE_LOGS = "See job logs for more information"


class FileFailed(Exception):
    """A file could not be transformed; the message is a line of the job's data log."""


@dataclass(frozen=True)
class Sending:
    """How a file is cut into requests."""

    strategy: str
    payload_bytes: int
    headers: Mapping[str, str]
    joins: bool


def check(request: dict[str, Any]) -> None:
    """Stop at what is not built."""
    source, processing = request["TransformInput"], request.get("DataProcessing", {})
    missing = {
        f"SplitType {source.get('SplitType', 'None')}": source.get("SplitType") != "Line",
        "compression": source.get("CompressionType", "None") != "None",
        "AssembleWith other than Line": request["TransformOutput"].get("AssembleWith") != "Line",
        "filters": bool(processing.keys() - {"JoinSource"}),
        f"joining {source.get('ContentType')}": processing.get("JoinSource") == "Input"
        and source.get("ContentType") != "text/csv",
        "DataCaptureConfig": "DataCaptureConfig" in request,
        "Environment": bool(request.get("Environment")),
    }
    for what, is_used in missing.items():
        if is_used:
            name = request["TransformJobName"]
            raise Unsupported(f"Transform job {name}: {what}; build it in rehearsal/engine/transform_jobs.py")


def carry_out(job: Job) -> Outcome:
    """Start the server, ask it for every file, and write what succeeded as a whole."""
    source = job.request["TransformInput"]["DataSource"]["S3DataSource"]
    container, inputs = job.request["Container"], job.opt_ml / "input"
    transfer = job.transfer()
    transfer.download(source["S3Uri"], source["S3DataType"], inputs)
    extract(transfer.read(container["ModelDataUrl"]), job.opt_ml / "model")
    host = _start(job, container)
    lines: list[str] = []
    began = time.monotonic()
    try:
        host.wait_until_healthy()
        failed = _transform_all(job, host, _sending(job, host), lines)
    except DeploymentFailed:
        failed = ["AlgorithmError"]
    finally:
        containers.stop(host.process, grace_seconds=STOP_GRACE_SECONDS)
        job.keep_logs("\n".join([host.run.output(), *lines]))
    seconds = time.monotonic() - began
    if failed:
        return Outcome("Failed", seconds, f"{failed[0]}: {SEE_LOGS}", {})
    return Outcome("Completed", seconds, None, {})


def _start(job: Job, container: Mapping[str, Any]) -> Host:
    port, request, account = free_port(), job.request, job.account
    image = job.pull(container["Image"])
    environment = {
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}",
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(request.get("MaxPayloadInMB", LARGEST_PAYLOAD_MIB)),
        "SAGEMAKER_BATCH_STRATEGY": STRATEGIES[request.get("BatchStrategy", "MultiRecord")],
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(request.get("MaxConcurrentTransforms", 1)),
    }
    isolated = request["EnableNetworkIsolation"]
    credentials = {} if isolated else roles.credentials(account, job.role_arn, SAGEMAKER)
    run = containers.Run(
        image=image,
        entrypoint=image.config.entrypoint,
        arguments=["serve"],
        directory=job.directory,
        environment={**container.get("Environment", {}), **environment, **credentials},
    )
    process, now = containers.start(account, run), account.clock.now()
    log = containers.LogReader(run.log)
    variant = {"VariantName": job.name}
    return Host(account, job.name, variant, job.role_arn, container["Image"], run, process, port, log, now)


def _sending(job: Job, host: Host) -> Sending:
    """The job's own words, else those of the container's /execution-parameters, else SageMaker's."""
    request, source = job.request, job.request["TransformInput"]
    asked = _execution_parameters(host)
    mib = request.get("MaxPayloadInMB") or asked.get("MaxPayloadInMB") or LARGEST_PAYLOAD_MIB
    strategy = STRATEGIES.get(request.get("BatchStrategy", ""), asked.get("BatchStrategy", "MULTI_RECORD"))
    headers = {
        "Content-Type": source["ContentType"],
        "Accept": request["TransformOutput"].get("Accept", "*/*"),
    }
    joins = request.get("DataProcessing", {}).get("JoinSource") == "Input"
    return Sending(strategy, int(mib) * MIB, headers, joins)


def _execution_parameters(host: Host) -> dict[str, Any]:
    """What the container asks for; nothing from one that does not know the path."""
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    try:
        connection.request("GET", "/execution-parameters")
        response = connection.getresponse()
        body = response.read()
        return dict(json.loads(body)) if response.status == 200 and body else {}
    finally:
        connection.close()


def _transform_all(job: Job, host: Host, sending: Sending, log: list[str]) -> list[str]:
    """Each input in order; what failed, as the first word of a reason, and why in the log."""
    output, failed = job.request["TransformOutput"], []
    inputs, transfer = job.opt_ml / "input", job.transfer()
    for file in sorted(path for path in inputs.rglob("*") if path.is_file()):
        name = file.relative_to(inputs).as_posix()
        try:
            lines = list(_transformed(host, sending, file.read_text().splitlines()))
        except FileFailed as error:
            log.append(f"[sagemaker logs]: {name}: {error}")
            failed.append(str(error).partition(":")[0])
            continue
        body = "".join(f"{line}\n" for line in lines).encode()
        transfer.write(f"{output['S3OutputPath'].rstrip('/')}/{name}.out", body, output.get("KmsKeyId"))
    return failed


def _transformed(host: Host, sending: Sending, records: Sequence[str]) -> Iterator[str]:
    for part in parts(sending, [record for record in records if record]):
        try:
            answer = host.invoke("\n".join(part).encode(), sending.headers)
        except (OSError, http.client.HTTPException) as error:
            raise FileFailed(f"AlgorithmError: no answer: {error}") from error
        if answer.status != 200:
            who = "ClientError" if answer.status < 500 else "AlgorithmError"
            raise FileFailed(f"{who}: {answer.status}")
        answers = answer.body.decode().splitlines()
        if not sending.joins:
            yield from answers
        elif len(answers) != len(part):
            raise FileFailed(f"ClientError: {len(part)} records and {len(answers)} answers cannot be joined")
        else:
            yield from (f"{record},{said}" for record, said in zip(part, answers, strict=True))


def parts(sending: Sending, records: Sequence[str]) -> Iterator[list[str]]:
    """One record a request, or as many as fit into a payload."""
    part: list[str] = []
    size = 0
    for record in records:
        length = len(record.encode()) + 1
        if length > sending.payload_bytes:
            raise FileFailed(f"ClientError: a record of {length} bytes is above MaxPayloadInMB")
        if part and (sending.strategy == "SINGLE_RECORD" or size + length > sending.payload_bytes):
            yield part
            part, size = [], 0
        part.append(record)
        size += length
    if part:
        yield part


def install(account: Account) -> None:
    """Let this account's transforms run as processes, each under the role of its model."""
    jobs = Jobs(account, TRANSFORM, carry_out, check)

    def create(request: dict[str, Any]) -> dict[str, Any]:
        model = account.client("sagemaker").describe_model(ModelName=request["ModelName"])
        role = {"RoleArn": model["ExecutionRoleArn"], "Container": container_of(account, model)}
        isolated = {"EnableNetworkIsolation": model.get("EnableNetworkIsolation", False)}
        return jobs.create({**request, **role, **isolated})

    seam.answer(
        account,
        {
            "CreateTransformJob": create,
            "DescribeTransformJob": jobs.describe,
            "ListTransformJobs": jobs.list_jobs,
        },
    )
