"""What the page tells, taken from the account before it is closed: plain values, in a fixed order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rehearsal.engine.journal import Entry
from rehearsal.report.acts import Act, Cast, casts, stamp, told
from rehearsal.report.timeline import Moment
from rehearsal.scenarios import display, states
from rehearsal.scenarios.deployment import Deployment
from rehearsal.scenarios.evaluations import evaluations
from rehearsal.scenarios.turn import Outcome

FIDELITY = Path(__file__).parents[1] / "engine" / "FIDELITY.md"
MICRO = 1_000_000


@dataclass(frozen=True)
class Price:
    """One way to keep a model: its loss, its runs and what they cost."""

    way: str
    loss: float | None
    runs: int
    spent_usd: float
    reserved_usd: float
    note: str = ""


@dataclass(frozen=True)
class Story:
    """Everything on the page. `summary` is what summary.json holds."""

    summary: dict[str, Any]
    notes: tuple[str, ...]
    columns: tuple[dict[str, Any], ...]
    start: datetime
    end: datetime
    levels: tuple[tuple[datetime, float], ...]
    """The evidence of each day; 1 is the threshold."""
    false_alarms_per_year: float
    moments: tuple[Moment, ...]
    evidence: tuple[tuple[str, str, str], ...]
    casts: tuple[Cast, ...]
    roles: tuple[Act, ...]
    prices: tuple[Price, ...]
    evaluations: tuple[str, ...]
    """The runs whose model was judged."""
    assumed: int
    behaviours: int


def tell(outcome: Outcome, summary: dict[str, Any], inference: dict[str, Any]) -> Story:
    """Gather the story of a rehearsal that has ended, however it ended."""
    deployment, journal = outcome.deployment, outcome.deployment.account.journal
    basis = _basis()
    return Story(
        summary=summary,
        notes=tuple(inference.get("notes", ())),
        columns=tuple(inference.get("columns", ())),
        start=outcome.scenario.start,
        end=outcome.scenario.end,
        levels=tuple((_utc(at), level) for at, level in states.levels(outcome)),
        false_alarms_per_year=deployment.config.monitoring.false_alarms_per_year,
        moments=tuple(moments(deployment, summary)),
        evidence=tuple(
            (stamp(entry), entry.kind, told(entry)) for entry in journal.entries if _worth_a_line(entry)
        ),
        casts=tuple(casts(journal.entries, _idle(deployment))),
        roles=tuple(_roles(deployment)),
        prices=tuple(prices(summary)),
        evaluations=tuple(evaluations(deployment)),
        assumed=sum("assumed" in row for row in basis),
        behaviours=len(basis),
    )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _worth_a_line(entry: Entry) -> bool:
    return entry.kind in display.LINES and display.LINES[entry.kind](entry.facts) is not None


def moments(deployment: Deployment, summary: dict[str, Any]) -> Iterator[Moment]:
    """The loss alarm's changes, the runs that it started and the releases, in order of time."""
    loss = f"{deployment.names.deployment}-loss"
    found = [
        Moment(_utc(a["time"]), "alarm" if a["new"] == "ALARM" else "ok", a["new"], f"{loss}: {a['reason']}")
        for a in summary["alarms"]
        if a["alarm"] == loss and "ALARM" in (a["old"], a["new"])
    ]
    wanted = {
        "retrain": ("start", "suppress", "advise"),
        "gate": ("refused",),
        "release": ("live", "rejected"),
    }
    for decision in summary["decisions"]:
        kind, verdict = decision["kind"], decision["verdict"]
        if verdict in wanted.get(kind, ()):
            evidence = f"{kind} {verdict} ({decision['rule']}): {'; '.join(decision['reasons'])}"
            found.append(Moment(_utc(decision["at"]), kind, verdict, evidence))
    yield from sorted(found, key=lambda moment: moment.at)


def prices(summary: dict[str, Any]) -> Iterator[Price]:
    """Three ways to keep the model, priced by the runs that were decided; the calendar's at their mean."""
    quality, runs = summary["quality"], sorted(summary["runs"], key=lambda run: run["started_at"] or "")
    if not quality or not runs:
        return
    spent = [run.get("spent_micro_usd", 0) / MICRO for run in runs]
    reserved = [run["plan"]["reserved_micro_usd"] / MICRO for run in runs]
    yield Price("served, retrained by the alarm", quality["served"], len(runs), sum(spent), sum(reserved))
    yield Price("never retrained", quality["never_retrained"], 1, spent[0], reserved[0])
    count = quality["calendar_runs"]
    yield Price(
        "retrained every month, no gate",
        quality["calendar"],
        count,
        count * sum(spent) / len(spent),
        count * sum(reserved) / len(reserved),
        quality["calendar_failed"],
    )


def _idle(deployment: Deployment) -> Iterator[tuple[str, str, str]]:
    """What is deployed and never acted, so that its silence is seen."""
    journal, prefix = deployment.account.journal, f"{deployment.names.deployment}-"
    rules = deployment.account.client("events").list_rules()["Rules"]
    delivered = {entry.facts["rule"] for entry in journal.of("delivery")}
    for rule in rules:
        if rule["Name"].startswith(prefix) and rule["Name"] not in delivered:
            yield "delivery", rule["Name"], "never matched an event"
    invoked = {entry.facts["function"] for entry in journal.of("invocation")}
    for function in deployment.account.client("lambda").list_functions()["Functions"]:
        if function["FunctionName"].startswith(prefix) and function["FunctionName"] not in invoked:
            yield "invocation", function["FunctionName"], "never ran"
    told_of = {entry.facts["alarm"] for entry in journal.of("alarm")}
    pages = deployment.account.client("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmNamePrefix=prefix):
        for alarm in page["MetricAlarms"]:
            if alarm["AlarmName"] not in told_of:
                yield "alarm", alarm["AlarmName"], f"stayed {alarm['StateValue']}"


def _roles(deployment: Deployment) -> Iterator[Act]:
    """What ran under each role: functions, jobs and whatever else the journal says of a role."""
    functions = {
        f["FunctionName"]: f["Role"]
        for f in deployment.account.client("lambda").list_functions()["Functions"]
    }
    acts: dict[str, list[tuple[Entry, str]]] = {}
    for entry in deployment.account.journal.entries:
        detail = entry.facts.get("detail")
        role = entry.facts.get("role") or (detail.get("RoleArn") if isinstance(detail, dict) else None)
        what = str(entry.facts.get("detail_type", entry.kind))
        if entry.kind == "invocation":
            role, what = functions.get(entry.facts["function"]), str(entry.facts["function"])
        if role:
            acts.setdefault(str(role).rsplit("/", 1)[-1], []).append((entry, what))
    for role in deployment.account.client("iam").list_roles(MaxItems=1000)["Roles"]:
        if role["RoleName"].startswith(f"{deployment.names.deployment}-"):
            acts.setdefault(role["RoleName"], [])
    for name, found in sorted(acts.items()):
        what = ", ".join(dict.fromkeys(what for _, what in found)) or "not seen in the journal"
        last = stamp(found[-1][0]) if found else ""
        yield Act(name, len(found), sum(entry.facts.get("ok") is False for entry, _ in found), last, what)


def _basis() -> list[str]:
    """The rows of FIDELITY.md: one a behaviour, and how it is known."""
    rows = re.findall(r"^\|(.+)\|$", FIDELITY.read_text(encoding="utf-8"), re.MULTILINE)
    return [row for row in rows if not re.fullmatch(r"[-| ]+", row) and not row.startswith(" behaviour ")]
