"""The daily looks, each at its hour: labels are joined, then drift is checked, then what was left behind is settled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from config.schema import Config
from rehearsal.engine.expressions import next_fire
from rehearsal.engine.moto_seams import events as event_seam
from rehearsal.scenarios.promises.deployed import Deployed

A_MONDAY = datetime(2030, 1, 7, tzinfo=UTC)
DAYS = 8


def wrong(deployed: Deployed) -> Iterator[str]:
    for label, (hour, minute) in times(deployed.config).items():
        due = [A_MONDAY + timedelta(days=day, hours=hour, minutes=minute) for day in range(DAYS)]
        fired = _fired(deployed, label)
        if fired != due:
            first = f"first on {fired[0]:%A at %H:%M}" if fired else "never"
            often = f"{len(fired)} times in {DAYS} days"
            yield f"the daily look of {label} comes {first}, {often}; wanted: {hour:02}:{minute:02} each day"


def times(config: Config) -> dict[str, tuple[int, int]]:
    """Hour and minute, UTC, by a part of the name of the function or queue that is reached."""
    check_hour_utc, serving = config.monitoring.check_hour_utc, config.serving
    return {
        **({} if serving.has_endpoint else {"start-transform": (serving.batch.hour_utc, 0)}),
        "build-snapshot": (check_hour_utc - 1, 30),
        "check-drift": (check_hour_utc, 0),
        "reconcile": (check_hour_utc, 45),
        "Alarms": (check_hour_utc, 50),
    }


def _fired(deployed: Deployed, label: str) -> list[datetime]:
    end = A_MONDAY + timedelta(days=DAYS)
    rules = {one.id for one in deployed.of_type("AWS::Events::Rule")}
    found = []
    for rule in event_seam.scheduled(deployed.account):
        if rule.name not in rules or not rule.enabled:
            continue
        if any(label in target["Arn"].rpartition(":")[2] for target in rule.targets):
            at = next_fire(rule.schedule or "", created=A_MONDAY, after=A_MONDAY)
            while at and at < end:
                found.append(at)
                at = next_fire(rule.schedule or "", created=A_MONDAY, after=at)
    return sorted(found)
