"""The watch on a live model's measured loss: its days against days that the model had not seen when it was made.

What counts is the loss beyond expectation: on a stormy day a good model is wrong more often, and its answers say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from domain.drift.counts import Counts
from domain.drift.detector import Answer, TooYoungError, fit
from domain.drift.grid import Floats
from domain.drift.signals import LOSS, Signal
from domain.drift.windows import EPOCH, HOURS_A_DAY, NO_CELLS, Window, last_hour, windows
from domain.loss import LossDay
from domain.monitoring import LossEvidence

SIGNAL = Signal("loss beyond expectation", LOSS, LOSS, True)
TOLERANCE = 2.0
"""In standard errors of the reference's mean: one signal alone needs less than seventy do (docs/drift.md)."""


def loss_evidence(
    reference: Sequence[LossDay], live: Sequence[LossDay], *, min_rows: int, false_alarms_per_year: float
) -> LossEvidence:
    """What the closed days of a live model say against it; a day with fewer than `min_rows` waits for the next.

    The same days give the same evidence: nothing is kept between two calls, so late labels are simply in the next one.
    """
    known, now = _windows(reference, min_rows), _windows(live, min_rows)
    try:
        detector = fit(
            [SIGNAL],
            known,
            _values(known),
            window_hours=HOURS_A_DAY,
            false_alarms_per_year=false_alarms_per_year,
            tolerance=TOLERANCE,
        )
    except TooYoungError as young:
        return LossEvidence(0.0, 0.0, None, len(now), len(known), None, str(young))
    answer = Answer(0.0, detector.threshold, ())
    if now:
        evidence = detector.begin()
        for number, scores in enumerate(detector.scores(now, _values(now))):
            evidence, answer = detector.ask(evidence, scores, number)
    since = _day(now[answer.carriers[0].since].first) if answer.carriers else None
    return LossEvidence(answer.level, answer.value, answer.threshold, len(now), len(known), since)


def _windows(days: Sequence[LossDay], min_rows: int) -> list[Window]:
    """Each day counts in its last hour: windows are whole days."""
    hours = ((last_hour(date.fromisoformat(day.day)), _counts(day)) for day in days)
    return list(windows(hours, window_hours=HOURS_A_DAY, min_rows=min_rows))


def _counts(day: LossDay) -> Counts:
    return Counts(day.rows, NO_CELLS, (), NO_CELLS, day.rows, day.micro_loss, day.micro_expected)


def _values(found: Sequence[Window]) -> Floats:
    """(windows, 1): the mean loss beyond expectation."""
    sums = (window.counts for window in found)
    return np.array([[(c.micro_loss - c.micro_expected) / c.labelled / 1e6] for c in sums]).reshape(-1, 1)


def _day(hour: int) -> str:
    return date.fromordinal(EPOCH + hour // HOURS_A_DAY).isoformat()
