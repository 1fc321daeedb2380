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
from rehearsal.engine.delivery import cdk, pipelines, repositories
from rehearsal.engine.journal import Entry
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.workplace import APP, SYNTH, Workplace, use_this_machine

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
    told: bool = False
    """Whether people got a message that it failed, which sends them to it and says what to do."""

    @property
    def end(self) -> str:
        if self.answer:
            return ENDS.get(self.answer["rule"], f"answered by the rule {self.answer['rule']}")
        failed = [stage for stage, status in self.stages.items() if status == "Failed"]
        if failed:
            return "refused-by-verify" if failed == ["Verify"] else f"failed in {failed}"
        return "nothing-new" if self.status == "SUCCEEDED" else self.status


@dataclass(frozen=True)
class Pusher:
    """The pipeline of a deployment, and the clone from which it is fed."""

    deployment: Deployment
    source: Mapping[str, str]
    """What the deployed pipeline's source action is configured with."""
    workplace: Workplace

    @classmethod
    def deploy(
        cls, deployment: Deployment, delivery: Delivery, cloud_assembly: Path, engine: str = ""
    ) -> Pusher:
        """`cdk deploy`: the one stack at the top level; and a clone of the repository that the pipeline listens to."""
        account, name = deployment.account, delivery_name(delivery.name)
        use_this_machine(account, engine)
        assembly.deploy(account, cloud_assembly, only=[name])
        pipeline = account.client("codepipeline").get_pipeline(name=name)["pipeline"]
        source = pipeline["stages"][0]["actions"][0]["configuration"]
        clone = Workplace.clone(
            account,
            account.directory / "workplace",
            deployment.repository,
            branch=source.get("BranchName", "main"),
        )
        # What was synthesised from the very files that the first commit holds.
        cdk.keep(account, clone.directory, cloud_assembly, APP, SYNTH)
        if "S3Bucket" not in source:
            repositories.register(account, _repository(source), clone.directory)
        return cls(deployment, source, clone)

    def push(self, push: Push) -> Pushed:
        """Commit, push as the pipeline's source wants it, and live until all that follows has settled."""
        self.workplace.change(push.changes)
        commit = self.workplace.commit(push.message)
        account = self.deployment.account
        before = len(account.journal.entries)
        if "S3Bucket" in self.source:
            account.client("s3").put_object(
                Bucket=self.source["S3Bucket"],
                Key=self.source["S3ObjectKey"],
                Body=self.workplace.archive(),
                Metadata={"codepipeline-artifact-revision-summary": f"{commit[:12]} {push.message}"},
            )
        else:
            pipelines.push(account, _repository(self.source), self.source["BranchName"])
        account.settle()
        return self._outcome(push, commit, account.journal.entries[before:])

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
            told=any(is_told(e.facts["message"], one) for e in entries if e.kind == "told" for one in ids),
        )


def is_told(message: str, execution: str) -> bool:
    """Is it a sentence for people, with the way to this execution and to the runbook? An event as it came is none."""
    return (
        message.startswith("A push failed in ")
        and f"/executions/{execution}/timeline" in message
        and "docs/runbooks/" in message
    )


def _repository(source: Mapping[str, str]) -> str:
    return source.get("FullRepositoryId") or source["RepositoryName"]
