"""SageMaker jobs: what CreateTrainingJob and CreateProcessingJob have in common, and their API."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rehearsal.engine import containers, images, roles, s3_transfer
from rehearsal.engine.account import Account, Unsupported
from rehearsal.engine.execution_roles import SAGEMAKER, epoch_ms, pull, write_logs
from rehearsal.engine.job_faults import NO_CAPACITY, quota_exceeded
from rehearsal.engine.job_requests import asked_type, image_uri, step_name
from rehearsal.engine.moto_seams import sagemaker as seam

JOB_VIRTUAL_TIME = timedelta(seconds=300)  # assumed: what a small job takes on AWS, and is billed
FAILURE_CHARACTERS = 1024  # DescribeTrainingJob's limit on FailureReason


@dataclass(frozen=True)
class Kind:
    """What differs in name between training, processing and transform."""

    name: str  # "Training", "Processing" or "Transform"
    resource: str  # "training-job"
    log_group: str
    not_in_describe: tuple[str, ...]
    told: tuple[str, ...] = (
        "SecondaryStatus",
        "FailureReason",
        "RoleArn",
        "ModelArtifacts",
        "OutputDataConfig",
    )
    """What its events say beside name, ARN and status."""

    @property
    def job_name(self) -> str:
        return f"{self.name}JobName"

    @property
    def status(self) -> str:
        return f"{self.name}JobStatus"

    @property
    def arn(self) -> str:
        return f"{self.name}JobArn"


TRAINING = Kind("Training", "training-job", "/aws/sagemaker/TrainingJobs", ("Tags", "SessionChainingConfig"))
PROCESSING = Kind("Processing", "processing-job", "/aws/sagemaker/ProcessingJobs", ("Tags",))


@dataclass(frozen=True)
class Outcome:
    """How a job ended: the status, why, for how long its container ran, and more to describe."""

    status: str
    seconds: float
    reason: str | None
    facts: dict[str, Any]
    began: bool = True
    """Did its container ever run?"""


@dataclass
class Job:
    """One job: the request as it came, what Describe answers, and its directory."""

    account: Account
    kind: Kind
    request: dict[str, Any]
    record: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.request[self.kind.job_name])

    @property
    def directory(self) -> Path:
        return self.account.directory / "jobs" / self.name

    @property
    def opt_ml(self) -> Path:
        return self.directory / "ml"

    @property
    def role_arn(self) -> str:
        return str(self.request["RoleArn"])

    def transfer(self) -> s3_transfer.Transfer:
        s3 = roles.client(self.account, self.role_arn, SAGEMAKER, "s3")
        return s3_transfer.Transfer(s3, self.role_arn, self.account.region)

    def pull(self, image_uri: str) -> images.Image:
        return pull(self.account, self.role_arn, image_uri)

    def local(self, path: str) -> Path:
        """A path under /opt/ml, on this machine."""
        parts = Path(path).parts
        if parts[:3] != ("/", "opt", "ml") or ".." in parts:
            raise Unsupported(
                f"{self.kind.name} job {self.name}: LocalPath {path!r}: only paths under /opt/ml are seen by a "
                "container here; build others in rehearsal/engine/containers.py"
            )
        return self.opt_ml.joinpath(*parts[3:])

    def run(
        self, entrypoint: list[str], arguments: list[str], image: images.Image, environment: dict[str, str]
    ) -> containers.Exit:
        """Run the job's container to its end, or to its limit, and keep what it printed."""
        isolated = self.request.get("EnableNetworkIsolation") or self.request.get("NetworkConfig", {}).get(
            "EnableNetworkIsolation"
        )
        credentials = {} if isolated else roles.credentials(self.account, self.role_arn, SAGEMAKER)
        run = containers.Run(
            image=image,
            entrypoint=entrypoint,
            arguments=arguments,
            directory=self.directory,
            environment={**self.request.get("Environment", {}), **environment, **credentials},
        )
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86_400)
        ended = containers.run_to_end(self.account, run, max_runtime_seconds=limit)
        self.keep_logs(ended.output)
        return ended

    def keep_logs(self, output: str) -> None:
        stream = f"{self.name}/algo-1-{epoch_ms(self.account)}"
        write_logs(self.account, self.role_arn, self.kind.log_group, stream, output)


Carry = Callable[[Job], Outcome]


class Jobs:
    """The jobs of one kind in an account: the API's handlers and the deferred runs."""

    def __init__(self, account: Account, kind: Kind, carry_out: Carry, check: Callable[[dict], None]) -> None:
        self._account = account
        self._kind = kind
        self._carry_out = carry_out
        self._check = check
        self._jobs: dict[str, Job] = {}

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        kind, account = self._kind, self._account
        name = request[kind.job_name]
        arn = f"arn:aws:sagemaker:{account.region}:{account.id}:{kind.resource}/{name}"
        if name in self._jobs:
            raise seam.error(
                "ResourceInUse",
                f"{kind.name} job names must be unique within an AWS account and region, and a "
                f"{kind.name.lower()} job with this name already exists ({arn})",
            )
        self._check(request)
        require_assumable(account, request["RoleArn"])
        if account.faults.met("quota", step=step_name(request), job=name):
            raise seam.error("ResourceLimitExceeded", quota_exceeded(asked_type(request), kind.name))
        now = account.clock.now()
        record = {key: value for key, value in request.items() if key not in kind.not_in_describe}
        record |= {kind.arn: arn, kind.status: "InProgress", "CreationTime": now, "LastModifiedTime": now}
        if kind is TRAINING:
            record |= {"SecondaryStatus": "Starting", "ModelArtifacts": {"S3ModelArtifacts": ""}}
        job = Job(account, kind, request, record)
        self._jobs[name] = job
        account.defer(f"{kind.name.lower()} job {name}", lambda: self._run(job))
        return {kind.arn: arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request[self._kind.job_name]
        if name not in self._jobs:
            raise seam.error(
                "ValidationException", f"Requested resource not found. ({self._kind.resource} {name})"
            )
        return self._jobs[name].record

    def list_jobs(self, request: dict[str, Any]) -> dict[str, Any]:
        kind = self._kind
        found = [
            job.record
            for job in self._jobs.values()
            if request.get("StatusEquals") in (None, job.record[kind.status])
            and request.get("NameContains", "") in job.name
        ]
        return page(found, request, f"{kind.name}JobSummaries")

    def _run(self, job: Job) -> None:
        began = self._account.clock.now()
        shutil.rmtree(job.directory, ignore_errors=True)
        try:
            outcome = self._taken_away(job) or self._carry_out(job)
        except (s3_transfer.DataError, images.ImageNotFound, PermissionError) as error:
            text = str(error)
            reason = text if text.startswith("ClientError") else f"ClientError: {text}"
            outcome = Outcome("Failed", 0.0, reason, {})
        except Unsupported as unsupported:
            self._account.journal.write("unsupported", what=str(unsupported))
            self._finish(job, Outcome("Failed", 0.0, f"ClientError: {unsupported}", {}), began)
            raise
        self._finish(job, outcome, began)

    def _taken_away(self, job: Job) -> Outcome | None:
        """No capacity for it, or spot instances taken away until it has waited too long."""
        faults, step, waited = self._account.faults, step_name(job.request), timedelta()
        if faults.met("no-capacity", step=step, job=job.name):
            return Outcome("Failed", 0.0, NO_CAPACITY, {"SecondaryStatus": "Failed"}, began=False)
        longest = timedelta(seconds=job.request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds", 0))
        is_spot = job.request.get("EnableManagedSpotTraining", False)
        while is_spot and faults.met("spot-interruption", step=step, job=job.name):
            self._account.clock.advance(JOB_VIRTUAL_TIME)
            waited += JOB_VIRTUAL_TIME
            if waited + JOB_VIRTUAL_TIME > longest:
                return Outcome("Stopped", 0.0, None, {"SecondaryStatus": "MaxWaitTimeExceeded"}, began=False)
        return None

    def _finish(self, job: Job, outcome: Outcome, began: datetime) -> None:
        self._account.clock.advance(JOB_VIRTUAL_TIME)
        kind, now = job.kind, self._account.clock.now()
        job.record.update({kind.status: outcome.status, "LastModifiedTime": now, **outcome.facts})
        if outcome.reason:
            job.record["FailureReason"] = outcome.reason[:FAILURE_CHARACTERS]
        seconds = int(JOB_VIRTUAL_TIME.total_seconds())
        if not outcome.began:
            pass  # nothing ran, so nothing is billed
        elif kind is TRAINING:
            job.record |= {"TrainingStartTime": began, "TrainingEndTime": now}
            job.record |= {"TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}
        else:
            job.record |= {f"{kind.name}StartTime": began, f"{kind.name}EndTime": now}
        self._tell(job, outcome)

    def _tell(self, job: Job, outcome: Outcome) -> None:
        kind, record = job.kind, job.record
        self._account.journal.write(
            "job",
            job=job.name,
            kind=kind.name,
            step=step_name(job.request),
            status=outcome.status,
            image=image_uri(job.request),
            instance_type=_instance_type(job),
            wall_seconds=round(outcome.seconds, 3),
            **({"reason": record["FailureReason"]} if "FailureReason" in record else {}),
        )
        about = (kind.job_name, kind.arn, kind.status, *kind.told)
        detail = {key: record[key] for key in about if key in record}
        self._account.put_event(
            "aws.sagemaker", f"SageMaker {kind.name} Job State Change", detail, [record[kind.arn]]
        )


def page(found: list[dict[str, Any]], request: dict[str, Any], key: str) -> dict[str, Any]:
    """A List answer: by creation time, newest first unless asked, in pages of MaxResults."""
    newest_first = request.get("SortOrder", "Descending") == "Descending"
    ordered = list(reversed(found)) if newest_first else found
    first = int(request.get("NextToken", "0"))
    last = first + request.get("MaxResults", 100)
    return {key: ordered[first:last], **({"NextToken": str(last)} if last < len(ordered) else {})}


def require_assumable(account: Account, role_arn: str) -> None:
    """AWS refuses a request whose role SageMaker cannot assume."""
    try:
        roles.require_trust(account, role_arn, SAGEMAKER)
    except PermissionError as error:
        raise seam.error("ValidationException", str(error)) from error


def _instance_type(job: Job) -> str:
    """What it got; of a training job nothing is known before it runs."""
    if job.kind is TRAINING:
        return str(job.record["ResourceConfig"].get("SelectedInstanceType", ""))
    return asked_type(job.request)


def install(account: Account) -> None:
    """Let this account's jobs run as processes."""
    from rehearsal.engine import processing_jobs, training_jobs

    training = Jobs(account, TRAINING, training_jobs.carry_out, training_jobs.check)
    processing = Jobs(account, PROCESSING, processing_jobs.carry_out, processing_jobs.check)
    for jobs, name in ((training, "Training"), (processing, "Processing")):
        seam.answer(
            account,
            {
                f"Create{name}Job": jobs.create,
                f"Describe{name}Job": jobs.describe,
                f"List{name}Jobs": jobs.list_jobs,
            },
        )
    seam.refuse_empty_promises(account)
