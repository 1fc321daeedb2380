"""Years of days in which a model's loss does not change: how often does the watch on the loss say that it does?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from domain.drift.counts import Counts
from domain.drift.detector import fit
from domain.drift.loss_watch import SIGNAL, TOLERANCE
from domain.drift.windows import HOURS_A_DAY, NO_CELLS, Window, windows

WORLDS = ("independent", "skewed", "weekly", "ar 0.3", "ar 0.5", "ar 0.8")
REFERENCE_DAYS = (28, 45, 59, 111)
YEAR, WARM_UP, ROWS = 365, 50, 900
WEEK = (0.0, 0.5, 1.0, 0.0, -0.5, 1.0, 2.0)


def false_alarms_a_year(world: str, years: int) -> float:
    """Of the length of reference that has most; after an alarm the evidence starts anew."""
    random = np.random.default_rng(WORLDS.index(world))
    return max(
        sum(_alarms(series(world, length + YEAR, random), length) for _ in range(years)) / years
        for length in REFERENCE_DAYS
    )


def series(world: str, days: int, random: np.random.Generator) -> NDArray[np.float64]:
    """The loss beyond expectation of each day, in any unit."""
    noise: NDArray[np.float64] = random.standard_normal(days + WARM_UP)
    if world == "skewed":
        noise = np.exp(noise)
    if world == "weekly":
        noise[WARM_UP:] += np.resize(WEEK, days)
    if world.startswith("ar "):
        memory = float(world.removeprefix("ar "))
        for day in range(1, len(noise)):
            noise[day] = memory * noise[day - 1] + np.sqrt(1 - memory**2) * noise[day]
    return noise[WARM_UP:]


def _alarms(losses: NDArray[np.float64], reference: int) -> int:
    seen, values = _days(len(losses)), losses[:, None]
    detector = fit(
        [SIGNAL],
        seen[:reference],
        values[:reference],
        window_hours=HOURS_A_DAY,
        false_alarms_per_year=1,
        tolerance=TOLERANCE,
    )
    evidence, found = detector.begin(), 0
    for number, scores in enumerate(detector.scores(seen[reference:], values[reference:])):
        evidence, answer = detector.ask(evidence, scores, number)
        if answer.alarm:
            found += 1
            evidence = detector.begin()
    return found


def _days(number: int) -> list[Window]:
    hours = ((HOURS_A_DAY * (day + 1) - 1, Counts(ROWS, NO_CELLS, (), NO_CELLS)) for day in range(number))
    return list(windows(hours, window_hours=HOURS_A_DAY))
