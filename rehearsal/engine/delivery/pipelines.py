"""AWS CodePipeline: the API, what starts an execution, and what the API shows of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine import roles
from rehearsal.engine.delivery import actions, conditions, repositories, triggers
from rehearsal.engine.delivery.execution import ActionRun, Execution
from rehearsal.engine.delivery.runner import Runner
from rehearsal.engine.delivery.triggers import Change
from rehearsal.engine.moto_seams import developer_tools as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

Request = dict[str, Any]


@dataclass
class CodePipelines:
    """The pipelines of an account: declaration, version, runner."""

    account: Account
    declared: dict[str, Request] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    is_held: bool = False

    def create(self, request: Request) -> Request:
        pipeline = request["pipeline"]
        name = pipeline["name"]
        if name in self.declared:
            message = f"A pipeline with the name '{name}' already exists in account '{self.account.id}'"
            raise seam.error("PipelineNameInUseException", message)
        self._keep(pipeline, version=1)
        self.runners[name] = Runner(self.account, name)
        return {"pipeline": self._shown(name)}

    def update(self, request: Request) -> Request:
        name = request["pipeline"]["name"]
        self._keep(request["pipeline"], version=self._find(name)[1] + 1)
        return {"pipeline": self._shown(name)}

    def delete(self, request: Request) -> None:
        for kept in (self.declared, self.versions, self.runners):
            kept.pop(request["name"], None)

    def get(self, request: Request) -> Request:
        self._find(request["name"])
        return {"pipeline": self._shown(request["name"])}

    def list_all(self, _: Request) -> Request:
        return {"pipelines": [{"name": name, "version": self.versions[name]} for name in self.declared]}

    def start(self, request: Request) -> Request:
        return {"pipelineExecutionId": self.begin(request["name"], trigger="StartPipelineExecution").id}

    def begin(self, name: str, *, trigger: str, source: Mapping[str, str] | None = None) -> Execution:
        pipeline, version = self._find(name)
        return self.runners[name].start(pipeline, version, trigger=trigger, source=source)

    def state(self, request: Request) -> Request:
        pipeline, version = self._find(request["name"])
        shown = [_stage_state(self.runners[request["name"]], stage) for stage in pipeline["stages"]]
        return {"pipelineName": request["name"], "pipelineVersion": version, "stageStates": shown}

    def execution(self, request: Request) -> Request:
        found = self._execution(request["pipelineName"], request["pipelineExecutionId"])
        shown = {
            "pipelineName": request["pipelineName"],
            "pipelineVersion": found.version,
            "pipelineExecutionId": found.id,
            "status": found.status,
            "executionMode": found.pipeline["executionMode"],
            "executionType": found.kind,
            "trigger": {"triggerType": found.trigger},
        }
        if found.revision:
            shown["artifactRevisions"] = [{"name": "Source", "revisionId": found.revision}]
        return {"pipelineExecution": shown}

    def executions(self, request: Request) -> Request:
        self._find(request["pipelineName"])
        found = reversed(self.runners[request["pipelineName"]].executions.values())
        return {
            "pipelineExecutionSummaries": [
                {
                    "pipelineExecutionId": one.id,
                    "status": one.status,
                    "startTime": one.started,
                    "executionMode": one.pipeline["executionMode"],
                    "executionType": one.kind,
                    "trigger": {"triggerType": one.trigger},
                }
                for one in found
            ]
        }

    def approve(self, request: Request) -> Request:
        self._find(request["pipelineName"])
        stage, action = request["stageName"], request["actionName"]
        runner = self.runners[request["pipelineName"]]
        if not runner.answer_approval(stage, action, request["token"], request["result"]):
            message = f"The approval action {action} of stage {stage} is not waiting for this token"
            raise seam.error("InvalidApprovalTokenException", message)
        return {"approvedAt": self.account.clock.now()}

    def expire(self) -> None:
        for runner in self.runners.values():
            runner.expire()

    def changed(self, change: Change, commit: str, branch: str) -> list[str]:
        """Start the pipelines whose connection and filters match, with this commit of this branch."""
        source = {"commit": commit, "branch": branch}
        return [
            self.begin(name, trigger="WebhookV2", source=source).id
            for name, pipeline in self.declared.items()
            if triggers.wants(pipeline, change)
        ]

    def _keep(self, pipeline: Request, version: int) -> None:
        if pipeline.get("executionMode") in ("QUEUED", "PARALLEL") and pipeline.get("pipelineType") != "V2":
            message = f"The execution mode {pipeline['executionMode']} needs a pipeline of type V2"
            raise seam.error("InvalidStructureException", message)
        conditions.check(pipeline)
        triggers.check(pipeline)
        try:
            roles.require_trust(self.account, pipeline["roleArn"], actions.SERVICE)
        except PermissionError as error:
            raise seam.error("InvalidStructureException", str(error)) from error
        pipeline.setdefault("executionMode", "SUPERSEDED")
        self.declared[pipeline["name"]], self.versions[pipeline["name"]] = pipeline, version

    def _shown(self, name: str) -> Request:
        return {**self.declared[name], "version": self.versions[name]}

    def _find(self, name: str) -> tuple[Request, int]:
        if name not in self.declared:
            message = f"Account '{self.account.id}' does not have a pipeline with name '{name}'"
            raise seam.error("PipelineNotFoundException", message)
        return self.declared[name], self.versions[name]

    def _execution(self, name: str, execution_id: str) -> Execution:
        self._find(name)
        found = self.runners[name].executions.get(execution_id)
        if found is None:
            message = f"The pipeline execution {execution_id} of {name} does not exist"
            raise seam.error("PipelineExecutionNotFoundException", message)
        return found


def _stage_state(runner: Runner, stage: Mapping[str, Any]) -> Request:
    execution = runner.latest.get(stage["name"])
    run = execution.stages.get(stage["name"]) if execution else None
    actions = run.actions if run else {}
    shown: Request = {
        "stageName": stage["name"],
        "inboundTransitionState": {"enabled": True},
        "actionStates": [
            {
                "actionName": action["name"],
                **(
                    {"latestExecution": _action_state(found)}
                    if (found := actions.get(action["name"]))
                    else {}
                ),
            }
            for action in stage["actions"]
        ],
    }
    if execution and run:
        shown["latestExecution"] = {
            "pipelineExecutionId": execution.id,
            "status": run.status,
            "type": execution.kind,
        }
    return shown


def _action_state(run: ActionRun) -> Request:
    shown: Request = {
        "actionExecutionId": run.id,
        "status": run.status,
        "summary": run.summary,
        "lastStatusChange": run.changed,
    }
    if run.token:
        shown["token"] = run.token
    if run.external_id:
        shown["externalExecutionId"] = run.external_id
    if run.error:
        shown["errorDetails"] = {"code": "JobFailed", "message": run.error}
    return shown


_pipelines: WeakKeyDictionary[Account, CodePipelines] = WeakKeyDictionary()


def start_by_rule(account: Account, pipeline_arn: str, role_arn: str, service: str) -> None:
    """What a rule's target does, under the role that the target names. Raises PermissionError and LookupError."""
    roles.require_trust(account, role_arn, service)
    action = "codepipeline:StartPipelineExecution"
    if refused := roles.refusal(account, role_arn, service, action, pipeline_arn):
        raise PermissionError(refused)
    pipelines, name = _pipelines[account], pipeline_arn.rsplit(":", 1)[1]
    if name not in pipelines.declared:
        raise LookupError(f"the pipeline {pipeline_arn} does not exist")
    if not pipelines.is_held:
        pipelines.begin(name, trigger="CloudWatchEvent")


def hold(account: Account) -> None:
    """Start no execution from now on; whether one may be started is judged all the same."""
    _pipelines[account].is_held = True


def push(account: Account, repository: str, branch: str) -> list[str]:
    """The branch of a registered repository was pushed.

    One in CodeCommit tells the event bus, and a rule starts what it starts; behind a connection the filters of the
    pipelines decide, and the executions that were started are returned.
    """
    found = repositories.find(account, repository)
    commit, before = found.commit_of(branch), found.pushed.get(branch)
    found.pushed[branch] = commit
    if found.is_in_codecommit:
        account.put_event("aws.codecommit", *repositories.reference_event(account, found, branch, before))
        return []
    change = Change(repository, branch, found.changed_paths(commit, before))
    return _pipelines[account].changed(change, commit, branch)


def pull_request(account: Account, repository: str, event: str, *, branch: str, into: str) -> list[str]:
    """A pull request of `branch` was opened (OPEN), got a commit (UPDATED) or was merged (CLOSED)."""
    found = repositories.find(account, repository)
    commit = found.commit_of(branch)
    change = Change(repository, into, found.paths_beyond(into, commit), event)
    return _pipelines[account].changed(change, commit, branch)


def execution(account: Account, pipeline: str, execution_id: str) -> Execution:
    return _pipelines[account].runners[pipeline].executions[execution_id]


def install(account: Account) -> None:
    """Let this account's code pipelines run."""
    pipelines = _pipelines[account] = CodePipelines(account)
    account.on_advance.append(pipelines.expire)
    seam.answer(
        account,
        "codepipeline",
        {
            "CreatePipeline": pipelines.create,
            "UpdatePipeline": pipelines.update,
            "DeletePipeline": pipelines.delete,
            "GetPipeline": pipelines.get,
            "ListPipelines": pipelines.list_all,
            "StartPipelineExecution": pipelines.start,
            "GetPipelineState": pipelines.state,
            "GetPipelineExecution": pipelines.execution,
            "ListPipelineExecutions": pipelines.executions,
            "PutApprovalResult": pipelines.approve,
        },
    )
