"""Runs the executions of one code pipeline: one in a stage at a time, or all side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rehearsal.engine.delivery import actions, conditions
from rehearsal.engine.delivery.actions import ActionFailed, Done
from rehearsal.engine.delivery.execution import (
    ActionRun,
    Execution,
    StageRun,
    UnresolvedVariable,
    identifier,
)

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

DEFAULT_APPROVAL_MINUTES = 7 * 24 * 60


class Runner:
    """One pipeline: its executions, who is in which stage, and who waits before it."""

    def __init__(self, account: Account, name: str) -> None:
        self.account, self.name = account, name
        self.executions: dict[str, Execution] = {}
        self.latest: dict[str, Execution] = {}
        """By stage: the execution that was in it last."""
        self._inside: dict[str, Execution] = {}
        """By door."""
        self._waiting: dict[str, list[Execution]] = {}

    def start(
        self,
        pipeline: Mapping[str, Any],
        version: int,
        *,
        trigger: str,
        source: Mapping[str, str] | None = None,
    ) -> Execution:
        """Answer at once; the execution runs when the account is pumped."""
        number = len(self.executions) + 1
        execution = Execution(
            id=identifier(self.account.id, self.name, number),
            number=number,
            pipeline=pipeline,
            version=version,
            trigger=trigger,
            started=self.account.clock.now(),
            source=source or {},
        )
        self.executions[execution.id] = execution
        self._tell_execution(execution, "STARTED")
        self._later(execution, lambda: self._arrive(execution))
        return execution

    def answer_approval(self, stage: str, action: str, token: str, result: Mapping[str, str]) -> bool:
        """Approve or reject; False if this token asks for nothing now."""
        here = [one for one in self._inside.values() if one.stage["name"] == stage]
        asked = [(one, one.stages[stage].actions.get(action)) for one in here]
        found = [(one, run) for one, run in asked if run and (run.status, run.token) == ("InProgress", token)]
        if not found:
            return False
        [(execution, run)] = found
        if result["status"] == "Approved":
            done = Done(result["summary"])
            self._later(execution, lambda: self._succeed(execution, execution.stages[stage], run, done))
            self._later(execution, lambda: self._work(execution))
        else:
            self._later(execution, lambda: self._fail(execution, run, f"Rejected: {result['summary']}"))
        run.token = ""
        return True

    def expire(self) -> None:
        """Approvals that nobody answered in time fail."""
        for execution in list(self._inside.values()):
            stage = execution.stages[execution.stage["name"]]
            if stage.deadline and stage.deadline <= self.account.clock.now():
                stage.deadline = None
                waiting = next(run for run in stage.actions.values() if run.status == "InProgress")
                self._fail(execution, waiting, "The approval was not answered within its time.")

    def _later(self, execution: Execution, act: Any) -> None:
        self.account.defer(f"code pipeline {self.name} {execution.id}", act)

    def _arrive(self, execution: Execution) -> None:
        """Come to the door of the next stage."""
        door = _door(execution)
        if door not in self._inside:
            self._enter(execution)
            return
        waiting = self._waiting.setdefault(door, [])
        if execution.pipeline["executionMode"] == "SUPERSEDED":
            for overtaken in waiting:
                self._end(overtaken, "Superseded")
            waiting.clear()
        waiting.append(execution)

    def _enter(self, execution: Execution) -> None:
        name = execution.stage["name"]
        self._inside[_door(execution)] = self.latest[name] = execution
        stage = execution.stages[name] = StageRun()
        try:
            unmet = conditions.unmet(execution, execution.stage.get("beforeEntry"))
        except UnresolvedVariable as error:
            self._leave(execution, stage, "Failed", str(error))
            return
        if unmet and unmet.result == "SKIP":
            self._leave(execution, stage, "Skipped", unmet.reason)
        elif unmet:
            self._leave(execution, stage, "Failed", unmet.reason)
        else:
            self._work(execution)

    def _work(self, execution: Execution) -> None:
        """Do the next group of actions; those of one run order stand side by side, here one after the other."""
        stage = execution.stages[execution.stage["name"]]
        ordered = sorted(execution.stage["actions"], key=lambda action: action.get("runOrder", 1))
        for _, group in groupby(ordered, key=lambda action: action.get("runOrder", 1)):
            for action in group:
                run = stage.actions.get(action["name"])
                if run is None or run.status == "Failed":
                    run = self._begin(execution, stage, action)
                if run.status != "Succeeded":
                    return
        self._leave(execution, stage, "Succeeded", "")

    def _begin(self, execution: Execution, stage: StageRun, action: Mapping[str, Any]) -> ActionRun:
        attempt = identifier(execution.id, action["name"], stage.retried)
        run = ActionRun(action["name"], attempt, "InProgress", self.account.clock.now())
        stage.actions[run.name] = run
        waits = action["actionTypeId"]["category"] == "Approval"
        if waits:
            minutes = action.get("timeoutInMinutes", DEFAULT_APPROVAL_MINUTES)
            stage.deadline = self.account.clock.now() + timedelta(minutes=minutes)
            run.token = identifier(run.id, "token")
        self._tell_action(execution, action, "STARTED")
        try:
            done = actions.carry_out(self.account, execution, action)
        except (ActionFailed, UnresolvedVariable) as failure:
            self._fail(execution, run, str(failure))
            return run
        if done is not None:
            self._succeed(execution, stage, run, done)
        return run

    def _succeed(self, execution: Execution, stage: StageRun, run: ActionRun, done: Done) -> None:
        run.status, run.summary, run.external_id = "Succeeded", done.summary, done.external_id
        run.changed, stage.deadline = self.account.clock.now(), None
        action = self._action(execution, run.name)
        if "namespace" in action:
            execution.variables[action["namespace"]] = dict(done.variables)
        self._tell_action(execution, action, "SUCCEEDED", done.summary)

    def _fail(self, execution: Execution, run: ActionRun, why: str) -> None:
        stage = execution.stages[execution.stage["name"]]
        run.status, run.error, run.changed = "Failed", why, self.account.clock.now()
        stage.deadline = None
        self._tell_action(execution, self._action(execution, run.name), "FAILED", why)
        result = execution.stage.get("onFailure", {}).get("result", "FAIL")
        if result == "RETRY" and not stage.retried:
            stage.retried = True
            if execution.stage["onFailure"].get("retryConfiguration", {}).get("retryMode") == "ALL_ACTIONS":
                stage.actions.clear()
            self._later(execution, lambda: self._work(execution))
            return
        self._leave(execution, stage, "Failed", why)
        if result == "ROLLBACK" and execution.kind == "STANDARD":
            self._roll_back(execution)

    def _leave(self, execution: Execution, stage: StageRun, status: str, why: str) -> None:
        """Go on, or end; whoever waits before this stage comes in."""
        name, door = execution.stage["name"], _door(execution)
        stage.status = status
        self.account.journal.write(
            "code-stage",
            pipeline=self.name,
            execution=execution.id,
            stage=name,
            status=status,
            reason=why,
            actions={run.name: run.status for run in stage.actions.values()},
        )
        del self._inside[door]
        if status == "Failed":
            self._end(execution, "Failed")
        elif execution.kind == "ROLLBACK" or execution.at + 1 == len(execution.pipeline["stages"]):
            self._end(execution, "Succeeded")
        else:
            execution.at += 1
            self._later(execution, lambda: self._arrive(execution))
        if self._waiting.get(door):
            following = self._waiting[door].pop(0)
            self._later(following, lambda: self._arrive(following))

    def _roll_back(self, failed: Execution) -> None:
        """Run the stage again with the last execution of this version of the pipeline that went well through it."""
        name = failed.stage["name"]
        good = [
            one
            for one in self.executions.values()
            if one.kind == "STANDARD"
            and one.version == failed.version
            and name in one.stages
            and one.stages[name].status == "Succeeded"
        ]
        if not good:
            return
        number = len(self.executions) + 1
        again = replace(
            good[-1],
            id=identifier(self.account.id, self.name, number),
            number=number,
            trigger="AutomatedRollback",
            kind="ROLLBACK",
            status="InProgress",
            started=self.account.clock.now(),
            at=failed.at,
            stages={},
            target=good[-1].id,
        )
        self.executions[again.id] = again
        self._tell_execution(again, "STARTED")
        self._later(again, lambda: self._arrive(again))

    def _end(self, execution: Execution, status: str) -> None:
        execution.status = status
        self._tell_execution(execution, status.upper())

    def _action(self, execution: Execution, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = next(a for a in execution.stage["actions"] if a["name"] == name)
        return found

    def _tell_execution(self, execution: Execution, state: str) -> None:
        self.account.journal.write(
            "code-pipeline",
            pipeline=self.name,
            execution=execution.id,
            type=execution.kind,
            trigger=execution.trigger,
            status=state,
            stage=execution.stage["name"],
        )
        self._event("Pipeline", execution, {"state": state})

    def _tell_action(
        self, execution: Execution, action: Mapping[str, Any], state: str, why: str = ""
    ) -> None:
        self.account.journal.write(
            "code-action",
            pipeline=self.name,
            execution=execution.id,
            stage=execution.stage["name"],
            action=action["name"],
            status=state,
            reason=why,
        )
        kind = {**action["actionTypeId"]}
        detail = {"stage": execution.stage["name"], "action": action["name"], "state": state, "type": kind}
        self._event("Action", execution, {**detail, "region": self.account.region})

    def _event(self, level: str, execution: Execution, detail: dict[str, Any]) -> None:
        arn = f"arn:aws:codepipeline:{self.account.region}:{self.account.id}:{self.name}"
        common = {"pipeline": self.name, "execution-id": execution.id, "version": float(execution.version)}
        self.account.put_event(
            "aws.codepipeline",
            f"CodePipeline {level} Execution State Change",
            {**common, **detail},
            [arn],
        )


def _door(execution: Execution) -> str:
    """What one execution at a time goes through: its stage, or one of its own where all run side by side."""
    name: str = execution.stage["name"]
    return f"{name} of {execution.id}" if execution.pipeline["executionMode"] == "PARALLEL" else name
