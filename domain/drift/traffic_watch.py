"""The watch on a live model's traffic: its days against the days that it was trained on, features and answers apart.

It sees what most models bear. So it tells people and starts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from domain.drift.detector import Answer, Detector, TooYoungError, fit
from domain.drift.grid import Floats
from domain.drift.profile import DaySignals, Profile
from domain.drift.signals import CORRELATION, FEATURE, PREDICTION, Signal
from domain.drift.windows import HOURS_A_DAY, Window, day_window
from domain.monitoring import Carrier, TrafficEvidence

FAMILIES = {"features": (FEATURE, CORRELATION), "predictions": (PREDICTION,)}
"""Each has its share of the stated rate, so that together they keep it."""


@dataclass(frozen=True)
class TrafficWatch:
    """Fitted once on a model's profile; a day with fewer than `min_rows` is no window."""

    profile: Profile
    min_rows: int
    false_alarms_per_year: float

    def evidence(self, live: Sequence[DaySignals]) -> tuple[TrafficEvidence, ...]:
        """Of each family, after these days of the live model in their order. Nothing is kept between two calls."""
        days = [day for day in live if day.rows >= self.min_rows]
        return tuple(self._evidence(family, days) for family in FAMILIES)

    def _evidence(self, family: str, days: Sequence[DaySignals]) -> TrafficEvidence:
        detector, known = self._detectors[family], len(self._reference)
        if isinstance(detector, TooYoungError):
            return TrafficEvidence(family, 0.0, None, len(days), known, (), str(detector))
        answer = Answer(0.0, detector.threshold, ())
        if days:
            evidence, values = detector.begin(), self._values(family, days)
            for number, scores in enumerate(detector.scores(_windows(days), values)):
                evidence, answer = detector.ask(evidence, scores, number)
        carriers = tuple(
            Carrier(one.signal.feature, one.signal.name, round(one.share, 3), days[one.since].day)
            for one in answer.carriers
        )
        return TrafficEvidence(family, answer.level, answer.threshold, len(days), known, carriers)

    @cached_property
    def _reference(self) -> list[DaySignals]:
        return [day for day in self.profile.days if day.rows >= self.min_rows]

    @cached_property
    def _detectors(self) -> dict[str, Detector | TooYoungError]:
        return {family: self._fit(family) for family in FAMILIES}

    def _fit(self, family: str) -> Detector | TooYoungError:
        names = self._named(family)
        values = self._values(family, self._reference)
        try:
            return fit(
                [signal for _, signal in names],
                _windows(self._reference),
                values,
                window_hours=HOURS_A_DAY,
                false_alarms_per_year=self.false_alarms_per_year / len(FAMILIES),
            )
        except TooYoungError as young:
            return young

    def _named(self, family: str) -> list[tuple[int, Signal]]:
        groups = FAMILIES[family]
        return [(j, one) for j, one in enumerate(self.profile.training.names) if one.group in groups]

    def _values(self, family: str, days: Sequence[DaySignals]) -> Floats:
        kept = [j for j, _ in self._named(family)]
        rows = [[math.nan if day.values[j] is None else day.values[j] for j in kept] for day in days]
        return np.array(rows, float).reshape(len(days), len(kept))


def _windows(days: Sequence[DaySignals]) -> list[Window]:
    return [day_window(date.fromisoformat(day.day), day.rows) for day in days]
