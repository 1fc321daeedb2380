"""The season of the standard rehearsal by its loss alone: 59 days of training, then 1 March to 15 July.

Our evidence on the loss beyond expectation beside the alarm before: the mean loss of 14 days at more than 1.25
times the loss of the last 14 days of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.streams.replay import FIRST_DAY
from benchmarks.streams.series import Table, predict
from domain.drift.counts import Counts
from domain.drift.detector import fit
from domain.drift.signals import LOSS, Signal
from domain.drift.windows import Window, windows

TRAINED, PLAYED = 59, 137
WEEKDAY = 1
"""1 January 2013 was a Tuesday."""
DAYS, RATIO = 14, 1.25
NONE = np.zeros((0, 0), np.int64)


@dataclass(frozen=True)
class Season:
    """Days of the season, counted from 0, on which evidence or ratio alarmed."""

    evidence: list[int]
    ratio: list[int]


def season(table: Table, order: Sequence[int]) -> Season:
    """One model, never retrained. `order` puts days of the table onto the days of the season."""
    days = [table.days[day] for day in order[: TRAINED + PLAYED]]
    answers = predict(table, order[:TRAINED])
    assert table.target is not None
    lost = (answers - table.target) ** 2
    excess = lost - answers * (1 - answers)
    loss, beyond = (np.array([float(x[rows].mean()) for rows in days]) for x in (lost, excess))
    return Season(_evidence(days, beyond), _ratio(loss))


def _evidence(days: Sequence[NDArray[np.int64]], beyond: NDArray[np.float64]) -> list[int]:
    signal = Signal("loss beyond expectation", LOSS, LOSS, True)
    seen = [_day(place, len(rows)) for place, rows in enumerate(days)]
    values = beyond[:, None]
    detector = fit([signal], seen[:TRAINED], values[:TRAINED], window_hours=24, false_alarms_per_year=1)
    evidence, found = detector.begin(), []
    for number, row in enumerate(detector.scores(seen[TRAINED:], values[TRAINED:])):
        evidence, answer = detector.ask(evidence, row, number)
        if answer.alarm:
            found.append(number)
            evidence = detector.begin()
    return found


def _day(place: int, rows: int) -> Window:
    hours = [(24 * (FIRST_DAY + WEEKDAY + place) + 23, Counts(rows, NONE, (), NONE))]
    (window,) = windows(hours, window_hours=24)
    return window


def _ratio(loss: NDArray[np.float64]) -> list[int]:
    promised = loss[TRAINED - DAYS : TRAINED].mean()
    measured = [loss[end - DAYS : end].mean() for end in range(TRAINED + DAYS, len(loss) + 1)]
    above = [mean > RATIO * promised for mean in measured]
    return [DAYS - 1 + i for i, now in enumerate(above) if now and not (i and above[i - 1])]
