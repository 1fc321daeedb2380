"""The one door to a training run: decide, claim and reserve in one transaction, then start the pipeline."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from datetime import datetime
from typing import Any

from domain.decision import Decision
from domain.events import month_of
from domain.instances import Workload, micro_usd
from domain.job_record import JobRecord, of_component
from domain.names import Prefix
from domain.settings import StartTrainingSettings
from domain.training_run import (
    Plan,
    Request,
    TrainingState,
    content_id,
    decide_budget,
    decide_training,
    reservation_micro_usd,
)
from lambdas import aws
from lambdas.ledger import Ledger, utc_now


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """{cause, incident} -> the decision, and the run's plan if there is one. Asking twice starts one run.

    With `commit` the run keeps of which push its image is. With `delivery`, an execution of the delivery pipeline,
    that execution waits for the release of the run.
    """
    settings = StartTrainingSettings.from_env(os.environ)
    ledger, now = Ledger(settings.ledger_table), utc_now()
    request = Request(event.get("cause", ""), event.get("incident", ""), event.get("commit", ""))
    answer = _answer(settings, ledger, request, now)
    if event.get("delivery") and answer["decision"]["verdict"] == "start":
        ledger.wait_for_run(event["delivery"], answer["plan"]["run_id"], now=now)
    return answer


def _answer(
    settings: StartTrainingSettings, ledger: Ledger, request: Request, now: datetime
) -> dict[str, Any]:
    known = ledger.run(request.run_id(settings.deployment))
    if known:
        return _resume(settings, ledger, Plan.from_json(known["plan"]), known["status"], now)
    snapshot = ledger.latest_snapshot()
    decision = decide_training(request, _state(settings, ledger, snapshot, now))
    plan = None
    if decision.verdict == "start":
        assert snapshot is not None
        plan, decision = _plan(settings, ledger, request, snapshot, decision, now)
    budget = micro_usd(settings.budget_usd_per_month)
    if plan and not ledger.claim(plan, now=now, budget_micro_usd=budget):
        reason = "another run took the lease or the budget in between"
        plan, decision = None, Decision("training", "skip", "lost-the-race", (reason,), decision.inputs)
    ledger.record(decision, subject=request.run_id(settings.deployment), now=now)
    if plan:
        _start(settings, ledger, plan, now)
    return {"decision": decision.to_json(), "plan": plan.to_json() if plan else None}


def _state(
    settings: StartTrainingSettings, ledger: Ledger, snapshot: dict[str, Any] | None, now: datetime
) -> TrainingState:
    finished = (run for run in ledger.runs() if run.get("outcome") == "Succeeded")
    return TrainingState(
        paused=ledger.paused(),
        image_digest=settings.image_digest,
        snapshot_id=snapshot["id"] if snapshot else None,
        snapshot_rows=snapshot["rows"] if snapshot else 0,
        trained=frozenset(run["plan"]["content_id"] for run in finished),
        running=ledger.running(now),
    )


def _plan(
    settings: StartTrainingSettings,
    ledger: Ledger,
    request: Request,
    snapshot: dict[str, Any],
    decision: Decision,
    now: datetime,
) -> tuple[Plan | None, Decision]:
    runs = ledger.runs()
    chosen = {
        component: _choose(
            settings, ledger, component, request, of_component(runs, component), snapshot["rows"], now
        )
        for component in ("Training", "Processing")
    }
    reserve = reservation_micro_usd(
        training_usd_per_hour=chosen["Training"]["usd_per_hour"],
        processing_usd_per_hour=chosen["Processing"]["usd_per_hour"],
        max_runtime_minutes=settings.max_runtime_minutes,
    )
    month = month_of(now)
    remaining = ledger.remaining_micro_usd(month, budget_micro_usd=micro_usd(settings.budget_usd_per_month))
    budget = decide_budget(
        reserve_micro_usd=reserve, remaining_micro_usd=remaining, month=month, inputs=decision.inputs
    )
    if budget.verdict != "start":
        return None, budget
    champion = ledger.champion()
    plan = Plan(
        run_id=request.run_id(settings.deployment),
        cause=request.cause,
        incident=request.incident,
        pipeline_name=settings.pipeline_name,
        snapshot_id=snapshot["id"],
        content_id=content_id(snapshot["id"], settings.image_digest),
        training_instance_type=chosen["Training"]["instance_type"],
        processing_instance_type=chosen["Processing"]["instance_type"],
        max_runtime_minutes=settings.max_runtime_minutes,
        reserved_micro_usd=reserve,
        champion_model_data=champion.model_data if champion else None,
        champion_package=champion.package_arn if champion else None,
        snapshot_rows=snapshot["rows"],
        image_digest=settings.image_digest,
        commit=request.commit_of(
            settings.image_digest, [run["plan"] for run in sorted(runs, key=_claimed_at)]
        ),
    )
    return plan, Decision(
        "training", "start", decision.rule, (*decision.reasons, *budget.reasons), budget.inputs
    )


def _claimed_at(run: dict[str, Any]) -> str:
    return str(run["claimed_at"])


def _choose(
    settings: StartTrainingSettings,
    ledger: Ledger,
    component: str,
    request: Request,
    finished: list[JobRecord],
    rows: int,
    now: datetime,
) -> dict[str, Any]:
    workload = Workload(
        component=component,
        memory_gib=settings.memory_gib,
        minutes_on_one_vcpu=settings.minutes_on_one_vcpu,
        deadline_minutes=settings.deadline_minutes,
    )
    asked = {
        "workload": asdict(workload),
        "finished": [job.to_json() for job in finished],
        "rows": rows,
    }
    answer = aws.invoke(aws.client("lambda"), settings.choose_instance_function, asked)
    winner: dict[str, Any] = answer["candidates"][0]
    decision = Decision(
        "instance", winner["instance_type"], answer["rule"], tuple(answer["because"]), {**asked, **answer}
    )
    ledger.record(decision, subject=f"{request.run_id(settings.deployment)}/{component}", now=now)
    return winner


def _resume(
    settings: StartTrainingSettings, ledger: Ledger, plan: Plan, status: str, now: datetime
) -> dict[str, Any]:
    """The run was claimed before: start it if that was not done, and answer as the first time."""
    reason = f"{plan.run_id} was claimed before; its status was {status}"
    decision = Decision("training", "start", "claimed-before", (reason,))
    if status == "CLAIMED" and ledger.paused():
        decision = Decision("training", "skip", "paused", (reason, "somebody paused this deployment since"))
    elif status == "CLAIMED" and not ledger.renew_lease(plan, now=now):
        decision = Decision("training", "skip", "in-flight", (reason, "another run is going since"))
    elif status == "CLAIMED":
        _start(settings, ledger, plan, now)
    elif status == "SETTLED":
        decision = Decision(
            "training", "skip", "done-before", (reason, "ask with another incident or reason")
        )
    return {"decision": decision.to_json(), "plan": plan.to_json()}


def _start(settings: StartTrainingSettings, ledger: Ledger, plan: Plan, now: datetime) -> None:
    s3, runs = aws.client("s3"), f"{Prefix.RUNS}{plan.run_id}"
    if plan.champion_model_data:
        champion = aws.read_uri(s3, plan.champion_model_data)
        aws.write(
            s3,
            settings.artefacts_bucket,
            f"{runs}/plan/champion.tar.gz",
            champion,
            kms_key_arn=settings.kms_key_arn,
        )
    body = json.dumps(plan.to_json(), sort_keys=True, indent=1).encode()
    aws.write(s3, settings.artefacts_bucket, f"{runs}/plan/plan.json", body, kms_key_arn=settings.kms_key_arn)
    snapshot = f"s3://{settings.data_bucket}/{Prefix.SNAPSHOTS}{plan.snapshot_id}"
    parameters = {
        "RunId": plan.run_id,
        "SnapshotId": plan.snapshot_id,
        "ContentId": plan.content_id,
        "Cause": plan.cause,
        "SnapshotUri": f"{snapshot}/manifest.json",
        "PartsUri": f"{snapshot}/parts.manifest",
        "TrainingInstanceType": plan.training_instance_type,
        "ProcessingInstanceType": plan.processing_instance_type,
        "MaxRuntimeSeconds": str(plan.max_runtime_minutes * 60),
    }
    started = aws.client("sagemaker").start_pipeline_execution(
        PipelineName=plan.pipeline_name,
        PipelineExecutionDisplayName=plan.run_id,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
        ClientRequestToken=hashlib.sha256(plan.run_id.encode()).hexdigest(),
    )
    ledger.mark_started(plan.run_id, execution_arn=started["PipelineExecutionArn"], now=now)
