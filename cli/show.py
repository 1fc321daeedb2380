"""What the ledger says, as plain values and as text for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.releases import held_release, model_stamp

Bodies = Callable[[str], list[dict[str, Any]]]


def status(bodies: Bodies) -> dict[str, Any]:
    """What is live or held, what runs, is released or waits, what is paused, what was decided last."""
    champions, control, releasing = bodies("CHAMPION"), bodies("CONTROL"), bodies("LEASE")
    snapshots = bodies("SNAPSHOT")
    decisions = bodies("DECISION")
    return {
        "live": champions[0] if champions else None,
        "held": held_release(bodies("RELEASE")),
        "releasing": releasing[0] if releasing else None,
        "waiting": bodies("WAITING"),
        "running": [run["plan"]["run_id"] for run in bodies("RUN") if run["status"] != "SETTLED"],
        "paused": bool(control and control[0]["paused"]),
        "snapshot": snapshots[0] if snapshots else None,
        "watched": watched(bodies),
        "last_decision": decisions[-1] if decisions else None,
    }


def watched(bodies: Bodies) -> dict[str, Any] | None:
    """What the last daily check found of the live model's data and traffic; None before there was one."""
    live, last = bodies("CHAMPION")[:1], bodies("WATCH")[-1:]
    if not live or not last or last[0]["release_id"] != live[0]["release_id"]:
        return None
    return {name: last[0].get(name, []) for name in ("day", "rows", "invalid", "labels", "traffic")}


def status_text(status: dict[str, Any]) -> str:
    live, snapshot, last = status["live"], status["snapshot"], status["last_decision"]
    lines = [
        f"live       {live['package_arn']} (release {live['release_id']}, since {live['since']}, "
        f"held-out loss {live['heldout_loss']:.4f})"
        if live
        else "live       nothing yet",
        *_held(status["held"]),
        f"snapshot   {snapshot['id']} of {snapshot['created']}, {snapshot['rows']:,} rows"
        if snapshot
        else "snapshot   none",
        f"running    {', '.join(status['running']) or 'nothing'}",
        *_releasing(status["releasing"]),
        *(
            f"waiting    {model_stamp(one['package_arn'])} since {one['since']}: {one['because']}"
            for one in status["waiting"]
        ),
        *watched_lines(status["watched"]),
        f"paused     {'yes' if status['paused'] else 'no'}",
    ]
    if last:
        lines.append(
            f"last       {last['at']} {last['kind']} {last['verdict']}: {'; '.join(last['reasons'])}"
        )
    return "\n".join(lines)


def watched_lines(watched: dict[str, Any] | None) -> list[str]:
    """Evidence that traffic changed, what carries it where it alarms, and what is broken, a line each."""
    if watched is None:
        return []
    families = watched["traffic"]
    levels = ", ".join(f"{one['family']} {one['level']:.2f} of 1" for one in families if not one["young"])
    lines = [f"traffic    {watched['day']}, {watched['rows']:,} rows: {levels or 'nothing can alarm yet'}"]
    lines += sorted({f"young      {one['young']}" for one in families if one["young"]})
    for one in families:
        if one["level"] >= 1:
            carried = (f"{c['signal']} since {c['since']} ({c['share']:.0%})" for c in one["carriers"])
            lines.append(f"changed    {', '.join(carried)}")
    return lines + [f"broken     {why}" for why in (*watched["invalid"], *watched["labels"])]


def _held(held: dict[str, Any] | None) -> list[str]:
    if held is None:
        return []
    package = model_stamp(held["package_arn"])
    return [
        f"held       {package} serves (release {held['release_id']}, since {held['closed_at']}) and has not proved "
        "itself: it was hardly asked"
    ]


def _releasing(release: dict[str, Any] | None) -> list[str]:
    if release is None:
        return ["releasing  nothing"]
    package, alarms = model_stamp(release["package_arn"]), release.get("alarms", [])
    began = f"since {release['opened_at']}" if release.get("is_started") else "not started yet"
    return [
        f"releasing  {package} (release {release['release_id']}, {began})",
        *(f"alarm      {said}" for said in alarms),
    ]


def lineage_text(origin: dict[str, Any]) -> str:
    lines = []
    for name, value in origin.items():
        for part in value if isinstance(value, list) else [value]:
            lines.append(f"{name:<17} {part}")
            name = ""
    return "\n".join(lines)


def decision_text(decision: dict[str, Any]) -> str:
    lines = [
        f"{decision['at']}  {decision['kind']} {decision['subject']}",
        f"  verdict  {decision['verdict']}",
        f"  rule     {decision['rule']}",
        *(f"  because  {reason}" for reason in decision["reasons"] if reason),
    ]
    for name, value in decision["inputs"].items():
        lines += [f"  {name}", *_listed(value)] if isinstance(value, list) else [f"  {name} = {value}"]
    return "\n".join(lines)


def _listed(values: list[Any], limit: int = 8) -> list[str]:
    shown = [f"    {_line(value)}" for value in values[:limit]]
    return shown + ([f"    and {len(values) - limit} more; --json shows all"] if len(values) > limit else [])


def _line(value: Any) -> str:
    """A candidate or a refusal of a choice of instance in words; anything else as it is."""
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]}: {value[1]}"
    if not isinstance(value, dict) or "expected_usd" not in value:
        return str(value)
    usd, minutes = value["expected_usd"], value.get("expected_minutes")
    if minutes is None:
        return f"{value['instance_type']}: {usd:.4f} USD an hour"
    said = f"{value['instance_type']}: {usd:.4f} USD, {minutes:.1f} min"
    between = value.get("minutes_range")
    return said + (f" (9 in 10 between {between[0]:.1f} and {between[1]:.1f})" if between else "")
