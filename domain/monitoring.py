"""The measured loss of the live model against its held-out loss. PSI per feature stands beside it as information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.names import Metric
from domain.snapshot import Part


@dataclass(frozen=True)
class LossWindow:
    """Labelled rows of one model over the last days on which labels came. `loss` is None below `min_rows`."""

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
    parts: Sequence[Part], *, model: str, heldout_loss: float, window_days: int, min_rows: int
) -> LossWindow:
    """Sum the loss of `model` over its last `window_days` days with labels.

    The sums are whole millionths, so neither order nor retries change the answer.
    """
    days: dict[str, list[int]] = {}
    for part in parts:
        if model in part.loss:
            total = days.setdefault(part.label_day, [0, 0])
            total[0] += part.loss[model][0]
            total[1] += part.loss[model][1]
    window = [days[day] for day in sorted(days)[-window_days:]]
    rows = sum(n for n, _ in window)
    micro = sum(m for _, m in window)
    loss = micro / rows / 1e6 if rows >= min_rows else None
    return LossWindow(model, len(window), rows, loss, heldout_loss)


@dataclass(frozen=True)
class Traffic:
    """One day of captured traffic, counted."""

    day: str
    rows: int
    skipped_lines: int
    psi: Mapping[str, float]


def metrics(window: LossWindow | None, traffic: Traffic) -> dict[str, float]:
    """What is published: a few aggregates, since each custom metric costs; per-feature values go to the report."""
    values: dict[str, float] = {
        Metric.CAPTURED_ROWS: traffic.rows,
        Metric.SKIPPED_LINES: traffic.skipped_lines,
    }
    if traffic.psi:
        values[Metric.MAX_PSI] = max(traffic.psi.values())
    if window:
        values[Metric.LABELLED_ROWS] = window.rows
        if window.loss is not None:
            values[Metric.LABELLED_LOSS] = window.loss
        if window.ratio is not None:
            values[Metric.LOSS_RATIO] = window.ratio
    return values


def report(window: LossWindow | None, traffic: Traffic) -> dict[str, Any]:
    """The day's findings as JSON, the features in order of their PSI."""
    body: dict[str, Any] = {
        "day": traffic.day,
        "captured_rows": traffic.rows,
        "skipped_lines": traffic.skipped_lines,
        "psi": {
            name: round(value, 6) for name, value in sorted(traffic.psi.items(), key=lambda item: -item[1])
        },
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
    return body
