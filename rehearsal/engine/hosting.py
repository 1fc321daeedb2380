"""The container behind an endpoint's variant: started, asked whether it is healthy, and called."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.engine import containers, images, roles
from rehearsal.engine.account import Account, Unsupported
from rehearsal.engine.execution_roles import SAGEMAKER, pull, write_logs
from rehearsal.engine.job_faults import NO_CAPACITY_TO_SERVE
from rehearsal.engine.s3_transfer import DataError, Transfer, extract

PING_TIMEOUT_SECONDS = 2
INVOCATION_TIMEOUT_SECONDS = 60
STOP_GRACE_SECONDS = 30
POLL_SECONDS = 0.02
KEPT_WARM = timedelta(minutes=10)
"""Assumed: for how long a serverless container waits for another request."""


class DeploymentFailed(Exception):
    """A variant did not become healthy; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class Answer:
    """What the container answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Host:
    """A running model container."""

    account: Account
    endpoint: str
    variant: Mapping[str, Any]
    role_arn: str
    image_uri: str
    run: containers.Run
    process: subprocess.Popen[bytes]
    port: int
    log: containers.LogReader
    active_at: datetime
    """When it started or was called last: its own clock stands still, so this is when it printed."""
    _connection: http.client.HTTPConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _log_lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_until_healthy(self) -> None:
        """Ask /ping until it answers 200, within the variant's limit of real seconds."""
        limit = self.variant.get("ContainerStartupHealthCheckTimeoutInSeconds", 240)
        end = time.monotonic() + limit
        while time.monotonic() < end and self.process.poll() is None:
            if self._ping() == 200:
                return
            time.sleep(POLL_SECONDS)
        raise DeploymentFailed(
            f"The primary container for production variant {self.variant['VariantName']} did not pass the ping "
            "health check. Please check CloudWatch logs for this endpoint."
        )

    def _ping(self) -> int | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PING_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST /invocations over a kept-alive connection; a connection gone stale is opened anew once."""
        with self._lock:
            self._wake_up()
            self._note_time()
            is_fresh = self._connection is None
            try:
                return self._post(body, headers)
            except (OSError, http.client.HTTPException):
                self._close()
                if is_fresh:
                    raise
                return self._post(body, headers)

    def _wake_up(self) -> None:
        """A serverless container that was not asked for a while is gone; the next request starts one."""
        idle = self.account.clock.now() - self.active_at
        if "ServerlessConfig" in self.variant and idle > KEPT_WARM:
            self._close()
            containers.stop(self.process, grace_seconds=STOP_GRACE_SECONDS)
            self.publish_log(is_last=True)
            self.process = containers.start(self.account, self.run)
            self.log = containers.LogReader(self.run.log)
            self.active_at = self.account.clock.now()
            self.wait_until_healthy()

    def _note_time(self) -> None:
        """What it printed before belongs to the time before."""
        now = self.account.clock.now()
        if now != self.active_at:
            self.publish_log()
            self.active_at = now

    def publish_log(self, *, is_last: bool = False) -> None:
        """Put what the container has printed by now into its log group; it never waits for the container."""
        with self._log_lock:
            text = self.log.new_lines(is_last=is_last)
            if text:
                group = f"/aws/sagemaker/Endpoints/{self.endpoint}"
                stream = f"{self.variant['VariantName']}/{self.run.directory.name}"
                write_logs(self.account, self.role_arn, group, stream, text, at=self.active_at)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=INVOCATION_TIMEOUT_SECONDS
            )
        self._connection.request("POST", "/invocations", body=body, headers=dict(headers))
        response = self._connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, received, response.read())

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL 30 seconds later; what it printed goes to its log group."""
        self._close()
        containers.stop(self.process, grace_seconds=STOP_GRACE_SECONDS)
        self.publish_log(is_last=True)


def start(account: Account, endpoint: str, variant: Mapping[str, Any], deployment: int) -> Host:
    """Start the variant's model; one that cannot be loaded, or for which there is no room, fails the deployment."""
    if account.faults.met("no-capacity", step="", job=endpoint):
        raise DeploymentFailed(NO_CAPACITY_TO_SERVE)
    model = account.client("sagemaker").describe_model(ModelName=variant["ModelName"])
    container = container_of(account, model)
    role_arn = model["ExecutionRoleArn"]
    directory = account.directory / "endpoints" / endpoint / str(deployment)
    try:
        image = pull(account, role_arn, container["Image"])
        credentials = roles.credentials(account, role_arn, SAGEMAKER)
        _load(account, role_arn, container, directory / "ml/model")
    except (images.ImageNotFound, PermissionError, DataError) as error:
        raise DeploymentFailed(
            f"Failed to prepare the container for production variant {variant['VariantName']}: {error}"
        ) from error
    port = free_port()
    bind = {"SAGEMAKER_BIND_TO_PORT": str(port), "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}"}
    isolated = model.get("EnableNetworkIsolation", False)
    run = containers.Run(
        image=image,
        entrypoint=image.config.entrypoint,
        arguments=["serve"],
        directory=directory,
        environment={**container.get("Environment", {}), **bind, **({} if isolated else credentials)},
    )
    process = containers.start(account, run)
    log, now = containers.LogReader(run.log), account.clock.now()
    return Host(account, endpoint, variant, role_arn, container["Image"], run, process, port, log, now)


def container_of(account: Account, model: Mapping[str, Any]) -> dict[str, Any]:
    containers_ = (
        [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers", [])
    )
    name = model["ModelName"]
    if len(containers_) != 1:
        raise Unsupported(
            f"Model {name} with {len(containers_)} containers; one is built, in rehearsal/engine/hosting.py"
        )
    container: dict[str, Any] = containers_[0]
    if container.get("ModelPackageName"):
        package = account.client("sagemaker").describe_model_package(
            ModelPackageName=container["ModelPackageName"]
        )
        packaged = package["InferenceSpecification"]["Containers"][0]
        environment = {**packaged.get("Environment", {}), **container.get("Environment", {})}
        container = {**packaged, "Environment": environment}
    for key in ("ModelDataSource", "AdditionalModelDataSources", "MultiModelConfig"):
        if container.get(key):
            raise Unsupported(f"Model {name}: {key}; build it in rehearsal/engine/hosting.py")
    return container


def _load(account: Account, role_arn: str, container: Mapping[str, Any], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if container.get("ModelDataUrl"):
        s3 = roles.client(account, role_arn, SAGEMAKER, "s3")
        extract(Transfer(s3, role_arn, account.region).read(container["ModelDataUrl"]), target)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
