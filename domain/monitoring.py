"""What a day's check publishes and reports: evidence, on which the alarm looks, and what informs people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from domain.loss import LossDay, by_day
from domain.names import Metric
from domain.snapshot import Part


@dataclass(frozen=True)
class LossWindow:
    """Labelled rows of one model over its last days that have labels. `loss` is None below `min_rows`."""

    model: str
    days: int
    rows: int
    loss: float | None
    heldout_loss: float

    @property
    def ratio(self) -> float | None:
        """Measured loss over held-out loss: 1 means as good as promised. None where nothing can be compared."""
        return self.loss / self.heldout_loss if self.loss is not None and self.heldout_loss > 0 else None


def loss_window(
    days: Sequence[LossDay], *, model: str, heldout_loss: float, window_days: int, min_rows: int
) -> LossWindow:
    """Sum the loss of the last `window_days` of a model's days with labels."""
    window = days[-window_days:]
    rows, micro = sum(day.rows for day in window), sum(day.micro_loss for day in window)
    loss = micro / rows / 1e6 if rows >= min_rows else None
    return LossWindow(model, len(window), rows, loss, heldout_loss)


def loss_days(parts: Sequence[Part], *, model: str) -> list[LossDay]:
    """The labelled days of `model`, whatever file and day their labels came in.

    The sums are whole millionths, so neither order nor retries change the answer.
    """
    return by_day(day for part in parts for day in part.loss.get(model, ()))


def closed_days(days: Sequence[LossDay], *, since: str, today: date, label_delay_days: int) -> list[LossDay]:
    """The days from a release on whose labels had their time: `since` is ISO 8601, what came before is not counted.

    >>> days = [LossDay(f"2013-03-0{n}", 9, 0, 0) for n in (1, 2, 3, 4)]
    >>> closed = closed_days(days, since="2013-03-02T13:26:00Z", today=date(2013, 3, 4), label_delay_days=1)
    >>> [day.day for day in closed]
    ['2013-03-02', '2013-03-03']
    """
    last = (today - timedelta(days=label_delay_days)).isoformat()
    return [day for day in days if since[:10] <= day.day <= last]


@dataclass(frozen=True)
class LossEvidence:
    """That the live model is worse than its reference: `level` is 0 without any and 1 where it alarms.

    `young` says why nothing can alarm yet; it is empty otherwise.
    """

    level: float
    value: float
    threshold: float | None
    windows: int
    """Closed windows of the live model."""
    reference_windows: int
    since: str | None
    """The first day that the evidence counts from."""
    young: str = ""


def without_reference(days: int) -> LossEvidence:
    """Of a model that an earlier Tideline made, whose package brought nothing to hold its closed days against."""
    why = "its package brought no reference days, so nothing alarms; the next one does: ./tideline retrain"
    return LossEvidence(0.0, 0.0, None, days, 0, None, why)


@dataclass(frozen=True)
class Carrier:
    """A signal that carries evidence: its share of all of it, and the first day that it counts from."""

    feature: str
    signal: str
    share: float
    since: str


@dataclass(frozen=True)
class TrafficEvidence:
    """That traffic is no longer as in training, of one family: `level` is 0 without any and 1 where it alarms."""

    family: str
    level: float
    threshold: float | None
    windows: int
    """Days of the live model."""
    reference_windows: int
    carriers: tuple[Carrier, ...]
    young: str = ""
    """Why nothing can alarm yet; empty otherwise."""


@dataclass(frozen=True)
class Effect:
    """How much one feature differs, for people. `largest_gap` is the Kolmogorov-Smirnov distance of a number, the
    greatest change of a category's share; `wasserstein` is in standard deviations of training, None of a category."""

    feature: str
    psi: float
    largest_gap: float
    wasserstein: float | None


@dataclass(frozen=True)
class Traffic:
    """One day of captured traffic, counted. `effects` has the greatest PSI first."""

    day: str
    rows: int
    skipped_lines: int
    effects: tuple[Effect, ...] = ()
    invalid: tuple[str, ...] = ()
    """Why its data, or the newest labels, are broken, a sentence each."""
    evidence: tuple[TrafficEvidence, ...] = ()


OLD_PROFILE = (
    "its package brought no days of training, so nothing alarms; the next one does: ./tideline retrain"
)
WITHOUT_PROFILE = tuple(
    TrafficEvidence(family, 0.0, None, 0, 0, (), OLD_PROFILE) for family in ("features", "predictions")
)
"""Of a model that an earlier Tideline made."""


def broken_data(watched: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What is broken on the last of the days that `check_drift` kept in the ledger, traffic or labels.

    >>> broken_data([{"invalid": ["dest: 2.0% unseen"], "broken": False, "labels": []}])
    ()
    """
    if not watched:
        return ()
    last = watched[-1]
    return (*(last["invalid"] if last["broken"] else ()), *last["labels"])


def metrics(window: LossWindow | None, evidence: LossEvidence | None, traffic: Traffic) -> dict[str, float]:
    """What is published: a few aggregates, since each custom metric costs; per-feature values go to the report."""
    values: dict[str, float] = {
        Metric.INVALID_DATA: len(traffic.invalid),
        Metric.CAPTURED_ROWS: traffic.rows,
        Metric.SKIPPED_LINES: traffic.skipped_lines,
    }
    if traffic.evidence:
        values[Metric.TRAFFIC_EVIDENCE] = max(one.level for one in traffic.evidence)
    if traffic.effects:
        values[Metric.MAX_PSI] = max(effect.psi for effect in traffic.effects)
    if evidence:
        values[Metric.LOSS_EVIDENCE] = evidence.level
    if window:
        values[Metric.LABELLED_ROWS] = window.rows
        if window.loss is not None:
            values[Metric.LABELLED_LOSS] = window.loss
        if window.ratio is not None:
            values[Metric.LOSS_RATIO] = window.ratio
    return values


def report(window: LossWindow | None, evidence: LossEvidence | None, traffic: Traffic) -> dict[str, Any]:
    """The day's findings as JSON, the features in order of their PSI."""
    body: dict[str, Any] = {
        "day": traffic.day,
        "captured_rows": traffic.rows,
        "skipped_lines": traffic.skipped_lines,
        "invalid": list(traffic.invalid),
        "traffic": [asdict(one) for one in traffic.evidence],
        "effects": [
            {
                name: round(value, 6) if isinstance(value, float) else value
                for name, value in asdict(one).items()
            }
            for one in traffic.effects
        ],
    }
    if window:
        body["loss"] = {
            "model": window.model,
            "label_days": window.days,
            "labelled_rows": window.rows,
            "measured": window.loss,
            "heldout": window.heldout_loss,
            "ratio": window.ratio,
        }
    if evidence:
        body["evidence"] = asdict(evidence)
    return body
