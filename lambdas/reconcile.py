"""Settle training runs: what the pipeline did, what the gate said, what it cost; and tell a push that waits for one."""

from __future__ import annotations

import json
import os
from typing import Any

from domain.decision import Decision
from domain.events import DELIVERY_ACTION, is_scheduled, parse_delivery_waits, parse_pipeline_ended
from domain.instances import micro_usd
from domain.job_record import JobRecord, outcome_of
from domain.names import Prefix
from domain.settings import ReconcileSettings
from lambdas import approvals, aws, model_cards, people
from lambdas.ledger import Ledger, utc_now

ENDED = ("Succeeded", "Failed", "Stopped")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A pipeline's end, a push that begins to wait, or a schedule -> what was settled and answered now.

    A schedule also looks after the release, whose events may be lost.
    """
    settings = ReconcileSettings.from_env(os.environ)
    pipeline, stage = settings.delivery_pipeline, settings.delivery_stage
    is_look = is_scheduled(event)
    if event.get("detail-type") == DELIVERY_ACTION:
        parse_delivery_waits(event, pipeline=pipeline, stage=stage)
    elif not is_look:
        parse_pipeline_ended(event, pipeline=settings.pipeline_name)
    ledger = Ledger(settings.ledger_table)
    open_runs = [run for run in ledger.runs() if run["status"] == "STARTED"]
    settled, failed = _settle_each(settings, ledger, open_runs)
    answered = approvals.answer(ledger, pipeline=pipeline, stage=stage, now=utc_now())
    done: dict[str, Any] = {"settled": settled, "answered": answered}
    if is_look:
        request = {"cause": "reconcile"}
        release = aws.invoke(aws.client("lambda"), settings.record_release_function, request)
        done["release"] = release["rule"]
    if failed:
        raise RuntimeError(f"could not settle {'; '.join(failed)}")
    return done


def _settle_each(
    settings: ReconcileSettings, ledger: Ledger, runs: list[dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """The runs that are settled now, and those that cannot be: they keep neither another run nor a release waiting."""
    settled, failed = [], []
    for run in runs:
        run_id = run["plan"]["run_id"]
        try:
            if _settle(settings, ledger, run):
                settled.append(run_id)
        except Exception as error:  # whatever it is, it is raised after all else was looked after
            failed.append(f"{run_id}: {type(error).__name__}: {error}")
    return settled, failed


def _settle(settings: ReconcileSettings, ledger: Ledger, run: dict[str, Any]) -> bool:
    sagemaker, now = aws.client("sagemaker"), utc_now()
    execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=run["execution_arn"])
    outcome = execution["PipelineExecutionStatus"]
    if outcome not in ENDED:
        return False
    run_id = run["plan"]["run_id"]
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=run["execution_arn"])[
        "PipelineExecutionSteps"
    ]
    jobs = _jobs(steps, rows=run["plan"].get("snapshot_rows", 0))
    spent = _spent_micro_usd(settings, jobs)
    gate = _gate(settings, run_id, outcome, _failure(execution, steps))
    ledger.record(gate, subject=run_id, now=now)
    if message := _news(settings, run_id, gate, steps):
        people.tell(
            ledger,
            settings.topic_arn,
            about=f"{run_id} settled",
            subject=f"{settings.deployment}: training",
            message=f"{settings.deployment}: {message}",
        )
    model_cards.write(settings, ledger, run, steps, spent)
    verdict = gate.verdict
    if not ledger.settle(run_id, outcome=outcome, spent_micro_usd=spent, now=now, gate=verdict, jobs=jobs):
        return False
    aws.log("run settled", run=run_id, outcome=outcome, gate=gate.verdict, spent_usd=spent / 1e6)
    return True


def _news(
    settings: ReconcileSettings, run_id: str, gate: Decision, steps: list[dict[str, Any]]
) -> str | None:
    """What people are told of a run: that there is no new model, or that one waits for them; else nothing."""
    reasons = "; ".join(gate.reasons)
    if gate.verdict != "passed":
        return f"{run_id} ended without a new model: {reasons}"
    packages = [
        step["Metadata"]["RegisterModel"]["Arn"]
        for step in steps
        if "RegisterModel" in step.get("Metadata", {})
    ]
    if settings.approval != "person" or not packages:
        return None
    version, report = packages[-1].rpartition("/")[2], f"{Prefix.RUNS}{run_id}/report/report.html"
    return (
        f"model {version} of {run_id} passed the gate and waits for your approval: {reasons}\n"
        f"Read its report: aws s3 cp s3://{settings.artefacts_bucket}/{report} .\n"
        f"Approve it: ./tideline approve {version}"
    )


def _gate(settings: ReconcileSettings, run_id: str, outcome: str, failure: str) -> Decision:
    if outcome != "Succeeded":
        return Decision("gate", "none", "pipeline-ended", (f"the pipeline is {outcome}: {failure}",))
    key = f"{Prefix.RUNS}{run_id}/report/report.json"
    report = json.loads(aws.read(aws.client("s3"), settings.artefacts_bucket, key))
    gate = report["gate"]
    kept = ("loss", "rows", "days", "day_losses")
    facts = {**{name: report[name] for name in kept}, **gate}
    return Decision("gate", "passed" if gate["passed"] else "refused", gate["rule"], (gate["reason"],), facts)


def _failure(execution: dict[str, Any], steps: list[dict[str, Any]]) -> str:
    """What the failed steps say; the execution itself says only that there are some."""
    said = [f"{step['StepName']}: {step['FailureReason']}" for step in steps if step.get("FailureReason")]
    return "; ".join(said) or execution.get("FailureReason", "no reason given")


def _jobs(steps: list[dict[str, Any]], *, rows: int) -> list[JobRecord]:
    """Where each job of the run ran, for how many billed seconds, and how it ended."""
    sagemaker = aws.client("sagemaker")
    found = (_job(sagemaker, step.get("Metadata", {}), rows) for step in steps)
    return [job for job in found if job]


def _spent_micro_usd(settings: ReconcileSettings, jobs: list[JobRecord]) -> int:
    """Billed seconds of each job times the price of the instance that it got."""
    if not jobs:
        return 0
    request = {"price_of": sorted({job.instance_type for job in jobs})}
    prices = aws.invoke(aws.client("lambda"), settings.choose_instance_function, request)
    return sum(micro_usd(prices[job.instance_type] * job.billed_seconds / 3600) for job in jobs)


def _job(sagemaker: Any, metadata: dict[str, Any], rows: int) -> JobRecord | None:
    """None where the step is no job. A job that never began has no times."""
    if "TrainingJob" in metadata:
        job = sagemaker.describe_training_job(TrainingJobName=_job_name(metadata["TrainingJob"]))
        resources = job["ResourceConfig"]
        instance = resources.get("SelectedInstanceType") or resources["InstanceType"]
        ended = outcome_of(job["TrainingJobStatus"], job.get("FailureReason", ""))
        return JobRecord("Training", instance, float(job.get("BillableTimeInSeconds", 0)), ended, rows)
    if "ProcessingJob" in metadata:
        job = sagemaker.describe_processing_job(ProcessingJobName=_job_name(metadata["ProcessingJob"]))
        began, ended_at = job.get("ProcessingStartTime"), job.get("ProcessingEndTime")
        seconds = (ended_at - began).total_seconds() if began and ended_at else 0.0
        said = f"{job.get('FailureReason', '')} {job.get('ExitMessage', '')}"
        ended = outcome_of(job["ProcessingJobStatus"], said)
        instance = job["ProcessingResources"]["ClusterConfig"]["InstanceType"]
        return JobRecord("Processing", instance, seconds, ended, rows)
    return None


def _job_name(job: dict[str, str]) -> str:
    return job["Arn"].rsplit("/", 1)[1]
