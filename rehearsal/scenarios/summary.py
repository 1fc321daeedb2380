"""What the rehearsal came to, as JSON for programs and as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from domain.counted import counted
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.outcomes import later
from rehearsal.scenarios.permissions import deployed_grants
from rehearsal.scenarios.quality import Quality
from rehearsal.scenarios.traffic import Answer
from rehearsal.scenarios.turn import Outcome


def summarise(outcome: Outcome, findings: Sequence[Finding], quality: Quality | None) -> dict[str, Any]:
    """Plain JSON. The wall seconds are measured on this machine; dollars are of virtual time."""
    deployment, journal = outcome.deployment, outcome.deployment.account.journal
    return {
        "scenario": outcome.scenario.name,
        "from": outcome.scenario.start.isoformat(),
        "to": outcome.scenario.end.isoformat(),
        "passed": all(finding.held for finding in findings),
        "refused": outcome.refused,
        "expectations": [asdict(finding) for finding in findings],
        "later": _later(outcome),
        "versions": _versions(outcome),
        "quality": asdict(quality) if quality else None,
        "requests": requests(outcome.world.asked if outcome.world else []),
        "alarms": [{"time": e.time.isoformat(), **e.facts} for e in journal.of("alarm")],
        "decisions": deployment.ledger_bodies("DECISION"),
        "runs": deployment.ledger_bodies("RUN"),
        "jobs": [
            e.facts for e in journal.of("job") if e.facts["status"] in ("Completed", "Failed", "Stopped")
        ],
        "invocations": dict(sorted(Counter(e.facts["function"] for e in journal.of("invocation")).items())),
        "grants": _grants(outcome),
        "deliveries": dict(sorted(Counter(e.facts["rule"] for e in journal.of("delivery")).items())),
    }


def requests(asked: Sequence[Answer]) -> dict[str, Any]:
    """Every request once, and which of them were sent while the endpoint was between two states."""
    return {**_counted(asked), "while_changing": _counted([one for one in asked if one.while_changing])}


def _counted(asked: Sequence[Answer]) -> dict[str, int]:
    answered = sum(bool(answer.predictions) for answer in asked)
    rows = sum(answer.rows for answer in asked)
    return {"sent": len(asked), "answered": answered, "lost": len(asked) - answered, "rows": rows}


def _later(outcome: Outcome) -> dict[str, Any] | None:
    """What the scenario expects once the product can do more: told, and no reason to fail."""
    wanted = outcome.scenario.later
    if wanted is None:
        return None
    return {"once": wanted.once, "expectations": [asdict(finding) for finding in later(outcome)]}


def _grants(outcome: Outcome) -> dict[str, Any]:
    """How much of what the roles may do was used, and what was not."""
    report = deployed_grants(outcome)
    unused: dict[str, list[str]] = {}
    for found in report:
        if not found.is_used:
            unused.setdefault(found.role, []).append(found.grant.action)
    return {"used": sum(found.is_used for found in report), "unused": unused}


def _versions(outcome: Outcome) -> list[dict[str, Any]]:
    served: Counter[str] = Counter()
    for answer in outcome.world.asked if outcome.world else []:
        served[answer.model] += len(answer.predictions)
    return [
        {
            "release": release["release_id"],
            "package": release["package_arn"],
            "outcome": release["outcome"],
            "released": release["opened_at"],
            "heldout_loss": release["heldout_loss"],
            "rows_served": served[release["package_arn"]],
        }
        for release in outcome.deployment.ledger_bodies("RELEASE")
    ]


def print_summary(summary: dict[str, Any], console: Console) -> None:
    console.print()
    _print_versions(summary, console)
    if quality := summary["quality"]:
        gain = 1 - quality["served"] / quality["never_retrained"] if quality["never_retrained"] else 0.0
        console.print(
            f"Loss on {counted(quality['rows'], 'labelled row')}: served {quality['served']:.4f}, "
            f"never retrained {quality['never_retrained']:.4f} ({gain:+.1%} better){_calendar(quality)}"
        )
    sent = summary["requests"]
    console.print(
        f"Requests: {sent['sent']:,} sent, {sent['while_changing']['sent']:,} of them while the endpoint "
        f"changed; {sent['lost']:,} lost"
    )
    if summary["refused"]:
        console.print(f"The gate refused the first model, so nothing is served: {summary['refused']}")
    spent = sum(run.get("spent_micro_usd", 0) for run in summary["runs"]) / 1e6
    reserved = sum(run["plan"]["reserved_micro_usd"] for run in summary["runs"]) / 1e6
    console.print(
        f"Training: {counted(len(summary['runs']), 'run')}, {counted(len(summary['jobs']), 'job')}; "
        f"{reserved:.4f} USD reserved, "
        f"{spent:.4f} USD at list price for the five minutes that each job is given"
    )
    unused = sum(map(len, summary["grants"]["unused"].values()))
    console.print(f"Permissions: {counted(summary['grants']['used'], 'grant')} used, {unused} not")
    for decision in summary["decisions"]:
        if decision["kind"] != "instance":
            console.print(
                f"  {decision['at']}  {decision['kind']:<9}{decision['verdict']:<10}{decision['reasons'][0]}"
            )
    console.print()
    for finding in summary["expectations"]:
        mark = "[green]ok  [/green]" if finding["held"] else "[red]FAIL[/red]"
        console.print(f"{mark} {finding['expectation']}", highlight=False)
        if not finding["held"]:
            console.print(f"     {finding['where']}", markup=False, highlight=False)
    if summary["later"]:
        _print_later(summary["later"], console)


def _print_later(told: dict[str, Any], console: Console) -> None:
    console.print(f"Expected only once {told['once']}:", highlight=False)
    for finding in told["expectations"]:
        mark, where = ("so already", "") if finding["held"] else ("not yet", f"; {finding['where']}")
        console.print(f"     {mark}: {finding['expectation']}{where}", markup=False, highlight=False)


def _calendar(quality: dict[str, Any]) -> str:
    if quality["calendar"] is None:
        return f"; a calendar could not be followed: {quality['calendar_failed']}"
    return f", retrained every month {quality['calendar']:.4f} ({counted(quality['calendar_runs'], 'run')})"


def _print_versions(summary: dict[str, Any], console: Console) -> None:
    table = Table("release", "model", "since", "held-out loss", "rows served", "outcome", box=None)
    for version in summary["versions"]:
        table.add_row(
            version["release"],
            "/".join(version["package"].split("/")[-2:]),
            version["released"],
            f"{version['heldout_loss']:.4f}",
            f"{version['rows_served']:,}",
            version["outcome"],
        )
    console.print(table)
