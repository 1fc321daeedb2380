"""What the model's owner pushes, by the deployed pipeline, and how each push ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from config.delivery import Delivery
from domain.names import delivery_name
from rehearsal.engine.cloudformation import assembly
from rehearsal.engine.journal import Entry
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.workplace import Workplace, use_this_machine

End = Literal["released", "nothing-new", "refused-by-verify", "refused-by-gate", "rolled-back"]
ENDS: Mapping[str, End] = {"live": "released", "no-model": "refused-by-gate", "not-live": "rolled-back"}
"""How the approval that waits for a release was answered, by the rule of that decision."""


@dataclass(frozen=True)
class Push:
    """A commit: what a person says of it, the files that it changes, and how it is to end."""

    at: datetime
    message: str
    end: End
    changes: Mapping[str, str | None] = field(default_factory=dict)
    """Path in the project -> its whole new text; None takes the file away."""


@dataclass(frozen=True)
class Pushed:
    """How one push ended: the execution's status, that of each stage with its reason, and what did not run here."""

    push: Push
    commit: str
    status: str
    stages: Mapping[str, str]
    reasons: Mapping[str, str]
    not_run: tuple[str, ...]
    answer: Mapping[str, Any] | None
    """The decision by which the pipeline's wait was answered, if it waited."""

    @property
    def end(self) -> str:
        if self.answer:
            return ENDS[self.answer["rule"]]
        failed = [stage for stage, status in self.stages.items() if status == "Failed"]
        if failed:
            return "refused-by-verify" if failed == ["Verify"] else f"failed in {failed}"
        return "nothing-new" if self.status == "SUCCEEDED" else self.status


@dataclass(frozen=True)
class Pusher:
    """The pipeline of a deployment, and the clone from which it is fed."""

    deployment: Deployment
    delivery: Delivery
    workplace: Workplace

    @classmethod
    def deploy(cls, deployment: Deployment, delivery: Delivery, cloud_assembly: Path) -> Pusher:
        """`cdk deploy`: the one stack at the top level."""
        account = deployment.account
        use_this_machine(account)
        assembly.deploy(account, cloud_assembly, only=[delivery_name(delivery.name)])
        return cls(
            deployment,
            delivery,
            Workplace.clone(account, account.directory / "workplace", deployment.repository),
        )

    def push(self, push: Push) -> Pushed:
        """Commit, put the zip where the pipeline waits for it, and live until all that follows has settled."""
        self.workplace.change(push.changes)
        commit = self.workplace.commit(push.message)
        account = self.deployment.account
        before = len(account.journal.entries)
        bucket, key = self._source()
        account.client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=self.workplace.archive(),
            Metadata={"codepipeline-artifact-revision-summary": f"{commit[:12]} {push.message}"},
        )
        account.pump()
        while account.in_transition and account.next_wake:
            account.advance_to(account.next_wake)
        return self._outcome(push, commit, account.journal.entries[before:])

    def _source(self) -> tuple[str, str]:
        pipeline = self.deployment.account.client("codepipeline").get_pipeline(
            name=delivery_name(self.delivery.name)
        )
        configuration = pipeline["pipeline"]["stages"][0]["actions"][0]["configuration"]
        if "S3Bucket" not in configuration:
            raise LookupError("the standard scenario pushes a zip; config/delivery.yaml names another source")
        return configuration["S3Bucket"], configuration["S3ObjectKey"]

    def _outcome(self, push: Push, commit: str, entries: Sequence[Entry]) -> Pushed:
        stages: dict[str, Any] = {e.facts["stage"]: e.facts for e in entries if e.kind == "code-stage"}
        executions = [e.facts for e in entries if e.kind == "code-pipeline"]
        ends = [facts["status"] for facts in executions if facts["status"] != "STARTED"]
        ids = tuple(facts["execution"] for facts in executions)
        answers = [
            decision
            for decision in self.deployment.ledger_bodies("DECISION")
            if decision["kind"] == "delivery" and decision["subject"].startswith(ids)
        ]
        return Pushed(
            push=push,
            commit=commit,
            status=ends[0] if ends else "WAITING",
            stages={name: facts["status"] for name, facts in stages.items()},
            reasons={name: facts["reason"] for name, facts in stages.items() if facts["reason"]},
            not_run=tuple(e.facts["command"] for e in entries if e.kind == "not-run"),
            answer=answers[-1] if answers else None,
        )
