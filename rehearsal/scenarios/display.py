"""Tells what just happened and why, a line for each thing that a person would want to know."""

from __future__ import annotations

from datetime import date
from typing import Any

from rich.console import Console

from rehearsal.engine.journal import Entry

MONDAY = 0
STACK_ENDS = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "DELETE_COMPLETE",
)


def _stack(facts: dict[str, Any]) -> str | None:
    return f"{facts['stack']} {facts['status']}" if facts["status"] in STACK_ENDS else None


def _job(facts: dict[str, Any]) -> str | None:
    if facts["status"] not in ("Completed", "Failed"):
        return None
    tail = f": {facts['reason']}" if facts.get("reason") else ""
    return f"{facts['step'] or facts['job']} {facts['status'].lower()} in {facts['wall_seconds']:.1f} s{tail}"


def _alarm(facts: dict[str, Any]) -> str | None:
    if "ALARM" not in (facts["old"], facts["new"]):
        return None
    return f"{facts['alarm']} {facts['old']} -> {facts['new']}: {facts['reason']}"


def _pipeline(facts: dict[str, Any]) -> str:
    return f"{facts['pipeline']} {facts['status']} {facts.get('reason') or ''}".rstrip()


def _endpoint(facts: dict[str, Any]) -> str:
    return f"{facts['endpoint']} {facts['status']} with {facts['config']}"


def _invocation(facts: dict[str, Any]) -> str | None:
    if not facts["ok"]:
        error = facts["error"]
        return f"{facts['function']} failed: {error['errorType']}: {error['errorMessage']}"
    result = facts.get("result")
    if not isinstance(result, dict):
        return None
    if "captured_rows" in result:
        return _watch(result)
    decision = result.get("decision") or result
    if not decision.get("reasons"):
        return None
    return f"{facts['function']} says {decision['verdict']}: {decision['reasons'][0]}"


def _watch(report: dict[str, Any]) -> str | None:
    """Once a week, what the daily check finds."""
    if date.fromisoformat(report["day"]).weekday() != MONDAY:
        return None
    loss, evidence = report.get("loss"), report["evidence"]
    measured = f"{loss['ratio']:.2f} of held-out" if loss and loss["ratio"] else "of too few labels yet"
    against = "too young" if evidence["young"] else f"evidence {evidence['level']:.2f} of 1"
    return f"{against}; loss {measured}; {_changed(report)}"


def _changed(report: dict[str, Any]) -> str:
    """How far traffic is from training, by evidence, and in which feature the most by its size."""
    level = max((one["level"] for one in report["traffic"]), default=0.0)
    furthest = next(iter(report["effects"]), {"feature": "none", "psi": 0.0})
    return f"traffic {level:.2f}; largest PSI: {furthest['feature']} {furthest['psi']:.2f}"


def _dead_letter(facts: dict[str, Any]) -> str:
    return f"into {facts['queue']}"


def _code_stage(facts: dict[str, Any]) -> str:
    tail = f": {facts['reason']}" if facts["reason"] else ""
    return f"{facts['pipeline']} {facts['stage']} {facts['status']}{tail}"


def _build(facts: dict[str, Any]) -> str | None:
    if facts["status"] == "SUCCEEDED":
        return None
    last = [line for line in facts["output"].splitlines() if line.strip()][-1:]
    return f"{facts['project']} {facts['status']} at `{facts['failed']}`: {''.join(last)}"


def _not_run(facts: dict[str, Any]) -> str:
    return f"{facts['command']} NOT RUN here: {facts['why']}"


def _told(facts: dict[str, Any]) -> str:
    return f"people: {facts['message']}"


def _fault(facts: dict[str, Any]) -> str:
    return f"{facts['fault']} meets {facts['step'] or facts['job']}"


LINES = {
    "stack": _stack,
    "job": _job,
    "alarm": _alarm,
    "pipeline": _pipeline,
    "endpoint": _endpoint,
    "invocation": _invocation,
    "dead-letter": _dead_letter,
    "code-stage": _code_stage,
    "build": _build,
    "not-run": _not_run,
    "told": _told,
    "fault": _fault,
}


class Display:
    """A journal listener that prints a line an entry worth one."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def __call__(self, entry: Entry) -> None:
        line = LINES[entry.kind](entry.facts) if entry.kind in LINES else None
        if line:
            self.console.print(
                f"{entry.time:%Y-%m-%d %H:%M}  {entry.kind:<11} {line}", markup=False, highlight=False
            )
