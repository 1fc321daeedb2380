"""A small account with a code pipeline in it: a zip as source, tiny buildspecs, and a repository to commit to."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.engine import Account
from rehearsal.engine.delivery import builds
from rehearsal.engine.delivery.build_run import Machine
from tests.engine.runtime_world import START, World

SOURCE, ARTEFACTS, KEY = "source-bucket", "artefact-bucket", "source.zip"
Stage = dict[str, Any]


@dataclass
class Delivery:
    """An account, its pipeline `push`, and short ways to fill and feed it."""

    account: Account
    roles: dict[str, str] = field(default_factory=dict)

    def project(self, name: str, *commands: str, exports: tuple[str, ...] = (), **properties: Any) -> str:
        spec: dict[str, Any] = {"version": "0.2", "phases": {"build": {"commands": list(commands)}}}
        if exports:
            spec["env"] = {"exported-variables": list(exports)}
        self.account.client("codebuild").create_project(
            name=name,
            serviceRole=self.roles["build"],
            source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "computeType": "BUILD_GENERAL1_SMALL", "image": "any"},
            **properties,
        )
        return name

    def pipeline(self, *stages: Stage, mode: str = "SUPERSEDED", **more: Any) -> None:
        first = more.pop("source", None) or source_action("S3", S3Bucket=SOURCE, S3ObjectKey=KEY)
        self.account.client("codepipeline").create_pipeline(
            pipeline={
                "name": more.pop("name", "push"),
                "roleArn": self.roles["pipeline"],
                "artifactStore": {"type": "S3", "location": ARTEFACTS},
                "stages": [{"name": "Source", "actions": [first]}, *stages],
                "pipelineType": "V2",
                "executionMode": mode,
                **more,
            }
        )

    def start(self, files: Mapping[str, str] | None = None, *, pump: bool = True) -> str:
        """Put a zip and start the pipeline; returns the execution's id."""
        self.account.client("s3").put_object(Bucket=SOURCE, Key=KEY, Body=zipped(files or {"a.txt": "a"}))
        started = self.account.client("codepipeline").start_pipeline_execution(name="push")
        if pump:
            self.account.pump()
        return str(started["pipelineExecutionId"])

    def status(self, execution: str) -> str:
        found = self.account.client("codepipeline").get_pipeline_execution(
            pipelineName="push", pipelineExecutionId=execution
        )
        return str(found["pipelineExecution"]["status"])

    def state(self, stage: str) -> dict[str, Any]:
        """The stage as GetPipelineState shows it."""
        states = self.account.client("codepipeline").get_pipeline_state(name="push")["stageStates"]
        found: dict[str, Any] = next(one for one in states if one["stageName"] == stage)
        return found

    def answer(self, stage: str, status: str = "Approved") -> None:
        (action,) = self.state(stage)["actionStates"]
        self.account.client("codepipeline").put_approval_result(
            pipelineName="push",
            stageName=stage,
            actionName=action["actionName"],
            token=action["latestExecution"]["token"],
            result={"status": status, "summary": "said so"},
        )
        self.account.pump()

    def stages(self, execution: str) -> dict[str, str]:
        """Stage -> how it ended, in the order in which they did."""
        return {
            e.facts["stage"]: e.facts["status"]
            for e in self.account.journal.of("code-stage")
            if e.facts["execution"] == execution
        }

    def built(self, project: str) -> list[dict[str, Any]]:
        return [e.facts for e in self.account.journal.of("build") if e.facts["project"] == project]


def source_action(provider: str, **configuration: str) -> dict[str, Any]:
    return {
        "name": "Source",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": provider, "version": "1"},
        "configuration": configuration,
        "outputArtifacts": [{"name": "Source"}],
    }


def build(project: str, *, namespace: str = "", **variables: str) -> dict[str, Any]:
    given = [{"name": name, "value": value} for name, value in variables.items()]
    return {
        "name": project,
        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
        "configuration": {"ProjectName": project, "EnvironmentVariables": json.dumps(given)},
        "inputArtifacts": [{"name": "Source"}],
        **({"namespace": namespace} if namespace else {}),
    }


def approval(minutes: int = 60) -> dict[str, Any]:
    return {
        "name": "Ok",
        "actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"},
        "timeoutInMinutes": minutes,
    }


def only_if(variable: str, value: str, result: str = "SKIP") -> dict[str, Any]:
    rule = {
        "name": "Only",
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Value": value, "Operator": "EQ"},
    }
    return {"conditions": [{"result": result, "rules": [rule]}]}


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def committed(directory: Path, files: Mapping[str, str], *, branch: str = "main") -> None:
    """A commit in a git repository on a branch, which is made where it is not there yet."""
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    who = {f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), **who}
    switch = [["checkout", "-qB", branch]] if (directory / ".git").exists() else [["init", "-qb", branch]]
    for command in (*switch, ["add", "-A"], ["commit", "-qm", "a change"]):
        subprocess.run(["git", *command], cwd=directory, env=environment, check=True, capture_output=True)


@contextmanager
def world(directory: Path) -> Iterator[Delivery]:
    with Account(start=START, directory=directory) as account:
        filled = World(account)
        s3 = account.client("s3")
        for bucket in (SOURCE, ARTEFACTS):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=SOURCE, VersioningConfiguration={"Status": "Enabled"})
        delivery = Delivery(account)
        for name in ("pipeline", "build"):
            trusts = {"pipeline": "codepipeline.amazonaws.com", "build": "codebuild.amazonaws.com"}[name]
            delivery.roles[name] = filled.role(name, trusts=trusts)
        builds.use_machine(account, Machine(not_run={"make slow": "it takes an hour"}))
        yield delivery
