"""What must come of the deployed permissions: nothing is denied, and each grant has a use or a reason."""

from __future__ import annotations

from collections.abc import Iterator

from domain.names import delivery_name
from rehearsal.engine.iam import grants
from rehearsal.engine.iam.grants import RoleGrant
from rehearsal.scenarios import unused_grants
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.turn import Outcome


def deployed_grants(outcome: Outcome) -> list[RoleGrant]:
    """The grants of this deployment's own roles, and of the delivery's if it came up by one."""
    prefixes = [f"{outcome.deployment.names.deployment}-"]
    if outcome.pipeline:
        prefixes.append(f"{delivery_name(outcome.pipeline.delivery.name)}-")
    return [
        found for found in grants.report(outcome.deployment.account) if found.role.startswith(tuple(prefixes))
    ]


def check_permissions(outcome: Outcome) -> Iterator[Finding]:
    """The gate on unused grants is for the whole standard season alone: a shorter one uses less."""
    denied = [entry.facts for entry in outcome.deployment.account.journal.of("denied")]
    where = sorted({f"{one['principal']} {one['action']}: {one['message']}" for one in denied})
    yield Finding("no call was denied", not denied, "; ".join(where[:3]))
    if not outcome.scenario.judges_grants:
        return
    report = deployed_grants(outcome)
    open_ = unused_grants.unexplained(report)
    yield Finding(
        "every grant is used, or says why not",
        not open_,
        f"remove it, or give a reason in rehearsal/scenarios/unused_grants.py: {', '.join(open_)}",
    )
    stale = unused_grants.stale(report)
    yield Finding(
        "every reason for an unused grant is needed",
        not stale,
        f"used or gone by now, drop from rehearsal/scenarios/unused_grants.py: {', '.join(stale)}",
    )
