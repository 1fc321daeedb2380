"""The test itself: fitted on reference windows, asked with each new one, answering with evidence against a threshold.

Proven: were the scores independent and standard normal, the mean time to a false alarm would be at least the
stated one. Calibrated, not proven: the tolerance for a finite reference, the long-run variance, the rule for
longer windows. `make bench NAME=drift` measures what they hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from domain.drift import evidence as evidences
from domain.drift import season
from domain.drift.evidence import Betting, Evidence
from domain.drift.grid import Floats
from domain.drift.scores import long_run_variance, normal_scores, own_scores
from domain.drift.season import Layout, Season
from domain.drift.signals import CORRELATION, FEATURE, LOSS, PREDICTION, Signal
from domain.drift.windows import HOURS_A_DAY, Window

HOURS_A_YEAR = 8766
MASSES = {FEATURE: 0.4, CORRELATION: 0.15, PREDICTION: 0.15, LOSS: 0.3}
TOLERANCE = 3.0
"""In standard errors of the reference's mean."""
LAG_HOURS = 48
LAG_DAYS = 7
DAYS_OF_REFERENCE = 28
WINDOW_HOURS = (1, 6, 12, 24)
"""What a window may last: the shortest in which signals are not `autocorrelated`."""
MEMORY = 3.0
"""Long-run variance, of one window's."""


class TooYoungError(ValueError):
    """There is not enough reference yet: distances can be told, alarms cannot be raised."""


@dataclass(frozen=True)
class Carrier:
    """A signal that carries evidence: its share of all of it, and the first window that it counts from."""

    signal: Signal
    share: float
    since: int


@dataclass(frozen=True)
class Answer:
    """After a window: the one number, what it is held against, and who says so, the loudest first."""

    value: float
    threshold: float
    carriers: tuple[Carrier, ...]

    @property
    def alarm(self) -> bool:
        return self.value >= self.threshold

    @property
    def level(self) -> float:
        """Evidence grows by factors, so it is told by its logarithm: from 0 to 1 at the threshold, and beyond.

        >>> Answer(0.0, 365.0, ()).level, Answer(365.0, 365.0, ()).level
        (0.0, 1.0)
        """
        return math.log1p(self.value) / math.log1p(self.threshold)


@dataclass(frozen=True)
class Detector:
    """Frozen after `fit`: evidence goes in and comes out."""

    kept: tuple[int, ...]
    """Which of the signals the reference knows well enough; the others say nothing."""
    signals: tuple[Signal, ...]
    seasons: tuple[Season, ...]
    pools: tuple[Floats, ...]
    bets: Betting
    hourly: bool
    threshold: float

    def begin(self) -> Evidence:
        """No evidence: after the fit, after an alarm, after a release."""
        return Evidence.none(len(self.signals))

    def scores(self, windows: Sequence[Window], values: Floats) -> Floats:
        """(windows, all signals) of values -> (windows, signals kept) of normal scores; NaN where no value is."""
        layout = Layout.of(windows, hourly=self.hourly)
        found = np.full((len(values), len(self.kept)), np.nan)
        for i, j in enumerate(self.kept):
            known = np.isfinite(values[:, j])
            left = self.seasons[i].residuals(values[known, j], layout.where(known))
            found[known, i] = normal_scores(self.pools[i], left)
        return found

    def ask(self, evidence: Evidence, scores: Floats, number: int) -> tuple[Evidence, Answer]:
        """Evidence before and a window's scores -> evidence after, and the answer. `number` names the window."""
        after = evidences.update(evidence, self.bets, scores, number)
        parts = evidences.by_signal(after, self.bets)
        value = float(parts.sum())
        loudest = sorted(range(len(parts)), key=lambda j: (-parts[j], j))[:5]
        carriers = tuple(
            Carrier(self.signals[j], float(parts[j]) / value, int(after.since[j, np.argmax(after.amount[j])]))
            for j in loudest
            if parts[j] >= 0.05 * value > 0
        )
        return after, Answer(value, self.threshold, carriers)


def fit(
    signals: Sequence[Signal],
    windows: Sequence[Window],
    values: Floats,
    *,
    window_hours: int,
    false_alarms_per_year: float,
    tolerance: float = TOLERANCE,
) -> Detector:
    """The detector that these reference windows give; `values` is (windows, signals), NaN where unknown.

    `tolerance` is in standard errors of the reference's mean.

    Raises TooYoungError below four weeks: season and scale cannot be told from drift yet.
    """
    hourly = window_hours < HOURS_A_DAY
    _old_enough(windows)
    layout = Layout.of(windows, hourly=hourly)
    layouts: dict[bytes, Layout] = {}
    enough = np.isfinite(values).sum(0) >= DAYS_OF_REFERENCE
    kept = tuple(int(j) for j in np.flatnonzero(enough))
    lags = LAG_HOURS // window_hours if hourly else LAG_DAYS
    seasons, pools, variances = [], [], []
    for j in kept:
        known = np.isfinite(values[:, j])
        one, left = season.fit(values[known, j], layouts.setdefault(known.tobytes(), layout.where(known)))
        seasons.append(one)
        pools.append(np.sort(left))
        variances.append(long_run_variance(own_scores(left), lags))
    named = tuple(signals[j] for j in kept)
    variance = np.array(variances)
    errors = np.sqrt(variance / np.array([len(pool) for pool in pools]))
    one_sided = np.array([signal.one_sided for signal in named])
    bets = evidences.betting(_masses(named), one_sided, tolerance * errors, variance)
    hours = windows[-1].last - windows[0].first + 1
    threshold = HOURS_A_YEAR * len(windows) / hours / false_alarms_per_year
    return Detector(kept, named, tuple(seasons), tuple(pools), bets, hourly, threshold)


def _old_enough(windows: Sequence[Window]) -> None:
    days = windows[-1].last // HOURS_A_DAY - windows[0].first // HOURS_A_DAY + 1 if windows else 0
    if days < DAYS_OF_REFERENCE or len(windows) < DAYS_OF_REFERENCE:
        raise TooYoungError(
            f"got {len(windows)} windows over {days} days as reference, "
            f"needed are {DAYS_OF_REFERENCE} of both; until then distances are told and nothing alarms"
        )


def _masses(signals: Sequence[Signal]) -> Floats:
    """Each group's share, evenly over its signals."""
    groups = [signal.group for signal in signals]
    return np.array([MASSES[group] / groups.count(group) for group in groups])


def autocorrelated(detector: Detector) -> bool:
    """Does one signal in ten remember its last windows so well that longer windows are due?"""
    return float(np.quantile(detector.bets.variance, 0.9)) > MEMORY
