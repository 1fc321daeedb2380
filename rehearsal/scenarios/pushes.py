"""Bring a deployment up as a person does: deploy the pipeline, push, bring the table, push again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.delivery import Delivery
from domain.names import delivery_name
from rehearsal.engine.cloudformation import assembly
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.workplace import Workplace, use_this_machine


@dataclass(frozen=True)
class Pushed:
    """How one push ended: the execution's status, the status of each stage, and what did not run here."""

    commit: str
    status: str
    stages: Mapping[str, str]
    reasons: Mapping[str, str]
    not_run: tuple[str, ...]


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
        return cls(deployment, delivery, Workplace.clone(account, account.directory / "workplace"))

    def push(self, files: Mapping[str, str], message: str) -> Pushed:
        """Commit, put the zip where the pipeline waits for it, and live until all that follows has settled."""
        self.workplace.change(files)
        commit = self.workplace.commit(message)
        account = self.deployment.account
        before = len(account.journal.entries)
        bucket, key = self._source()
        account.client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=self.workplace.archive(),
            Metadata={"codepipeline-artifact-revision-summary": f"{commit[:12]} {message}"},
        )
        account.pump()
        return self._outcome(commit, before)

    def _source(self) -> tuple[str, str]:
        pipeline = self.deployment.account.client("codepipeline").get_pipeline(
            name=delivery_name(self.delivery.name)
        )
        configuration = pipeline["pipeline"]["stages"][0]["actions"][0]["configuration"]
        if "S3Bucket" not in configuration:
            raise LookupError("the standard scenario pushes a zip; config/delivery.yaml names another source")
        return configuration["S3Bucket"], configuration["S3ObjectKey"]

    def _outcome(self, commit: str, before: int) -> Pushed:
        entries = self.deployment.account.journal.entries[before:]
        stages: dict[str, Any] = {e.facts["stage"]: e.facts for e in entries if e.kind == "code-stage"}
        ends = [
            e.facts["status"] for e in entries if e.kind == "code-pipeline" and e.facts["status"] != "STARTED"
        ]
        return Pushed(
            commit=commit,
            status=ends[0] if ends else "WAITING",
            stages={name: facts["status"] for name, facts in stages.items()},
            reasons={name: facts["reason"] for name, facts in stages.items() if facts["reason"]},
            not_run=tuple(e.facts["command"] for e in entries if e.kind == "not-run"),
        )
