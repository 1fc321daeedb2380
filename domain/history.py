"""Releases as people think of them: which model served from when to when, why it came and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.names import Prefix
from domain.releases import ReleaseRecord, model_stamp

Body = Mapping[str, Any]
SERVES = ("live", "held")
OPEN = "in flight"
NO_RUN = "a package of no run"


@dataclass(frozen=True)
class Served:
    """One release. It served from `since` until `until`, in ISO 8601; None where it never did, or still does."""

    release_id: str
    model: str
    why: str
    asked: str
    since: str | None
    until: str | None
    heldout_loss: float
    outcome: str
    because: str


def history(
    releases: Sequence[Body], opened: Body | None, runs: Sequence[Body], decisions: Sequence[Body]
) -> tuple[Served, ...]:
    """Every release of the ledger, the oldest first; the one in flight is the last."""
    plans = {run["plan"]["run_id"]: run["plan"] for run in runs}
    bodies = [*releases, *([{**opened, "outcome": OPEN}] if opened else [])]
    return tuple(
        Served(
            release_id=body["release_id"],
            model=model_stamp(body["package_arn"]),
            why=_why(body, plans),
            asked=body["opened_at"],
            since=body["closed_at"] if body["outcome"] in SERVES else None,
            until=_until(body, bodies[number + 1 :]),
            heldout_loss=body["heldout_loss"],
            outcome=body["outcome"],
            because=_because(body["release_id"], decisions),
        )
        for number, body in enumerate(bodies)
    )


def _why(body: Body, plans: Mapping[str, Body]) -> str:
    """What asked for the run that trained the model, and whether a model came back."""
    found = run_of(ReleaseRecord.from_parameter(body["parameter"]).model_data)
    plan = plans.get(found or "")
    return f"{plan['cause']}: {plan['incident']}" if plan else NO_RUN


def run_of(model_data: str) -> str | None:
    """The run whose artefact this is.

    >>> run_of("s3://bucket/runs/run-3d5363680a90ebc3/model/x/output/model.tar.gz")
    'run-3d5363680a90ebc3'
    >>> run_of("s3://elsewhere/model.tar.gz") is None
    True
    """
    _, found, rest = model_data.partition(f"/{Prefix.RUNS}")
    return rest.split("/")[0] if found else None


def _until(body: Body, later: Sequence[Body]) -> str | None:
    if body["outcome"] not in SERVES:
        return None
    return next((one["closed_at"] for one in later if one["outcome"] in SERVES), None)


def _because(release_id: str, decisions: Sequence[Body]) -> str:
    """The reasons of the last decision about the release."""
    about = [one for one in decisions if one["kind"] == "release" and _is_about(one["subject"], release_id)]
    return "; ".join(reason for reason in about[-1]["reasons"] if reason) if about else ""


def _is_about(subject: str, release_id: str) -> bool:
    return subject.startswith(f"{release_id}/")
