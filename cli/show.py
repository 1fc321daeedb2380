"""What the ledger says, as plain values and as text for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bodies = Callable[[str], list[dict[str, Any]]]


def status(bodies: Bodies) -> dict[str, Any]:
    """What is live, what runs, what is paused, what was decided last."""
    champions, control, releasing = bodies("CHAMPION"), bodies("CONTROL"), bodies("LEASE")
    snapshots = bodies("SNAPSHOT")
    decisions = bodies("DECISION")
    return {
        "live": champions[0] if champions else None,
        "releasing": releasing[0] if releasing else None,
        "running": [run["plan"]["run_id"] for run in bodies("RUN") if run["status"] != "SETTLED"],
        "paused": bool(control and control[0]["paused"]),
        "snapshot": snapshots[0] if snapshots else None,
        "last_decision": decisions[-1] if decisions else None,
    }


def status_text(status: dict[str, Any]) -> str:
    live, snapshot, last = status["live"], status["snapshot"], status["last_decision"]
    lines = [
        f"live       {live['package_arn']} (release {live['release_id']}, since {live['since']}, "
        f"held-out loss {live['heldout_loss']:.4f})"
        if live
        else "live       nothing yet",
        f"snapshot   {snapshot['id']} of {snapshot['created']}, {snapshot['rows']:,} rows"
        if snapshot
        else "snapshot   none",
        f"running    {', '.join(status['running']) or 'nothing'}",
        f"releasing  {status['releasing']['release_id'] if status['releasing'] else 'nothing'}",
        f"paused     {'yes' if status['paused'] else 'no'}",
    ]
    if last:
        lines.append(
            f"last       {last['at']} {last['kind']} {last['verdict']}: {'; '.join(last['reasons'])}"
        )
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
