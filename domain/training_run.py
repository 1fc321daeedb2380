"""One training run, decided before it starts: is there something to train, on what, where, and for how much?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from domain.decision import Decision
from domain.instances import micro_usd
from domain.names import NO_RELEASE

CAUSES = ("push", "alarm", "schedule", "operator")
PROCESSING_JOBS = 2
PROCESSING_MAX_MINUTES = 30
LEASE_MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class Request:
    """Somebody asks for a run. `incident` says of what: the same cause and incident are one run."""

    cause: str
    incident: str
    commit: str = ""
    """Of the push that asks; an alarm knows none."""

    def __post_init__(self) -> None:
        if self.cause not in CAUSES:
            raise ValueError(f"cause: got {self.cause!r}; allowed: {', '.join(CAUSES)}")
        if not self.incident:
            raise ValueError(
                "incident: got nothing; name what asked, such as a commit or an alarm and its time"
            )
        if self.commit and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", self.commit):
            raise ValueError(f"commit: got {self.commit!r}; allowed: 40 or 64 hexadecimal digits, or nothing")

    def commit_of(self, image_digest: str, plans: Sequence[Mapping[str, Any]]) -> str:
        """The push's own commit, else that by which a run got the same image first; empty where nobody said.

        >>> plans = [{"image_digest": "sha256:1", "commit": "8c20"}, {"image_digest": "sha256:1", "commit": "d51f"}]
        >>> Request("alarm", "loss").commit_of("sha256:1", plans)
        '8c20'
        """
        known = (plan.get("commit") for plan in plans if plan.get("image_digest") == image_digest)
        return self.commit or next(filter(None, known), "")

    def run_id(self, deployment: str) -> str:
        """64 bits of a hash, readable in names and S3 keys.

        >>> Request("push", "3f2c1a").run_id("tideline-dev")
        'run-064a26ca2559d02e'
        """
        digest = hashlib.sha256(f"{deployment}|{self.cause}|{self.incident}".encode()).hexdigest()
        return f"run-{digest[:16]}"


@dataclass(frozen=True)
class TrainingState:
    """What `start_training` reads before it decides."""

    paused: bool
    image_digest: str
    snapshot_id: str | None
    snapshot_rows: int
    trained: frozenset[str]
    """Content ids of the runs that finished: what they would yield is already known."""
    running: str | None


def content_id(snapshot_id: str, image_digest: str) -> str:
    """What a run depends on: the same snapshot and image give the same model."""
    return hashlib.sha256(f"{snapshot_id}|{image_digest}".encode()).hexdigest()[:16]


def decide_training(request: Request, state: TrainingState) -> Decision:
    """Start or skip. The rules stand in order; the first that holds decides."""
    inputs = {
        "cause": request.cause,
        "incident": request.incident,
        "snapshot": state.snapshot_id,
        "snapshot_rows": state.snapshot_rows,
        "image_digest": state.image_digest,
    }

    def decided(verdict: str, rule: str, reason: str) -> Decision:
        return Decision("training", verdict, rule, (reason,), inputs)

    if state.paused:
        return decided(
            "skip", "paused", "somebody paused this deployment; `./tideline pause --resume` ends that"
        )
    if state.image_digest == NO_RELEASE:
        return decided("skip", "no-image", "no image was pushed yet; `make deploy` builds one and sets it")
    if state.snapshot_id is None:
        return decided(
            "skip", "no-snapshot", "there is no snapshot; put a table under history/ in the data bucket"
        )
    if state.running:
        return decided("skip", "in-flight", f"training run {state.running} is still going")
    if content_id(state.snapshot_id, state.image_digest) in state.trained:
        return decided("skip", "nothing-new", "the same snapshot and image were trained already")
    return decided(
        "start",
        request.cause,
        f"{state.snapshot_rows} rows in snapshot {state.snapshot_id} and nothing in flight",
    )


@dataclass(frozen=True)
class Plan:
    """All that a run was decided to be, written with its claim; a retry reads it and never decides again."""

    run_id: str
    cause: str
    incident: str
    pipeline_name: str
    snapshot_id: str
    content_id: str
    training_instance_type: str
    processing_instance_type: str
    max_runtime_minutes: int
    reserved_micro_usd: int
    champion_model_data: str | None
    champion_package: str | None
    snapshot_rows: int = 0
    """0 in a plan that is older than this field."""
    image_digest: str = ""
    """Empty in a plan that is older than this field."""
    commit: str = ""
    """The commit of whose push the image is; empty where nobody said."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Plan:
        return cls(**raw)

    def lease_until(self, now: datetime) -> datetime:
        """When a run that nobody recorded may be taken for dead: all its jobs at their limit, and an hour."""
        minutes = self.max_runtime_minutes + PROCESSING_JOBS * PROCESSING_MAX_MINUTES
        return now + timedelta(minutes=minutes) + LEASE_MARGIN


def reservation_micro_usd(
    *, training_usd_per_hour: float, processing_usd_per_hour: float, max_runtime_minutes: int
) -> int:
    """The most that a run can cost: each job's price times its longest time.

    >>> reservation_micro_usd(training_usd_per_hour=0.115, processing_usd_per_hour=0.115, max_runtime_minutes=60)
    230000
    """
    processing_hours = PROCESSING_JOBS * PROCESSING_MAX_MINUTES / 60
    return micro_usd(
        training_usd_per_hour * max_runtime_minutes / 60 + processing_usd_per_hour * processing_hours
    )


def decide_budget(
    *, reserve_micro_usd: int, remaining_micro_usd: int, month: str, inputs: Mapping[str, Any]
) -> Decision:
    """Does the run fit into what is left of the month's budget? Its whole cost counts, before it starts."""
    facts = {
        **inputs,
        "reserve_usd": reserve_micro_usd / 1e6,
        "remaining_usd": remaining_micro_usd / 1e6,
        "month": month,
    }
    if reserve_micro_usd > remaining_micro_usd:
        reason = (
            f"the run may cost {reserve_micro_usd / 1e6:.4f} USD "
            f"and {remaining_micro_usd / 1e6:.4f} USD are left of {month}; "
            "raise budget_usd_per_month or lower training.max_runtime_minutes"
        )
        return Decision("training", "skip", "over-budget", (reason,), facts)
    reason = (
        f"reserved {reserve_micro_usd / 1e6:.4f} of the {remaining_micro_usd / 1e6:.4f} USD left of {month}"
    )
    return Decision("training", "start", "within-budget", (reason,), facts)
