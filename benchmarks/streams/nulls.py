"""Simulated years in which nothing changes: every alarm is false."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.streams.runs import OURS, Seen, alarm_days, answers, fitted, look, others
from benchmarks.streams.worlds import HOURS_OF_TRAINING, USUAL, Rows, World, counted, grids, traffic
from domain.drift.counts import Counts, Grids
from domain.drift.detector import HOURS_A_YEAR, WINDOW_HOURS, Detector, autocorrelated
from domain.drift.effects import Yardstick
from domain.drift.signals import Training
from domain.drift.windows import windows

ROWS_AN_HOUR = 300
"""Fewer than the 1,000 of the delays, for speed; what moves an hour's rows together is scaled to the same z."""
LABELS_LATE = 24
DAYS = 28


@dataclass(frozen=True)
class Start:
    """A deployment after four weeks: its grids, its profile, and the hours that made them."""

    world: World
    grids: Grids
    training: Training
    hours: list[tuple[int, Counts]]
    min_rows: int

    @classmethod
    def of(cls, null: str, seed: int, rows_an_hour: int) -> Start:
        world = World(null, seed, rows_an_hour)
        first = [(hour, world.hour(hour)) for hour in range(HOURS_OF_TRAINING)]
        some = [rows for _, rows in first if len(rows.scores)]
        numbers, scores = (
            np.concatenate([getattr(rows, name) for rows in some]) for name in ("numbers", "scores")
        )
        made = grids(Rows(numbers, [], scores, *[some[0].micro_losses] * 2))
        hours = [(hour, counted(made, rows)) for hour, rows in first if len(rows.scores)]
        profile = sum((counts for _, counts in hours[1:]), hours[0][1])
        return cls(world, made, Training(made, profile), hours, rows_an_hour // 4)

    def seen(
        self, hours: list[tuple[int, Counts]] | Iterator[tuple[int, Counts]], width: int, distances: bool
    ) -> list[Seen]:
        closed = windows(hours, window_hours=width, min_rows=self.min_rows)
        return look(self.training, closed, Yardstick(self.training) if distances else None)

    def detector(self) -> tuple[Detector, int, list[Seen]]:
        """With the shortest windows that are not autocorrelated, and how long they are."""
        for width in WINDOW_HOURS:
            reference = self.seen(self.hours, width, distances=False)
            detector = fitted(self.training, late(reference, width), width)
            if not autocorrelated(detector):
                break
        return detector, width, reference


def late(seen: list[Seen], width: int, before: list[Seen] | None = None) -> list[Seen]:
    """Labels come a day later: each window has the loss of the one a day before it."""
    lag = max(1, LABELS_LATE // width)
    losses = [*([np.nan] * lag if before is None else [s.signals[-1] for s in before[-lag:]])]
    losses += [s.signals[-1] for s in seen[:-lag]]
    return [
        Seen(s.window, np.array([*s.signals[:-1], loss]), s.distances)
        for s, loss in zip(seen, losses, strict=True)
    ]


def year(null: str, seed: int, hours: int = HOURS_A_YEAR) -> tuple[int, int]:
    """One year of one world: how long windows had to be, and on how many days we alarmed."""
    start = Start.of(null, seed, ROWS_AN_HOUR)
    detector, width, reference = start.detector()
    stream = traffic(start.world, start.grids, HOURS_OF_TRAINING, hours)
    after = late(start.seen(stream, width, distances=False), width, reference)
    return width, alarm_days(after, np.array([answer.alarm for answer in answers(detector, after)]))


def all_rules_a_year(null: str, seed: int) -> dict[str, float]:
    """Days with an alarm a year of every rule, from four weeks of windows of an hour with 1,000 rows."""
    start = Start.of(null, seed, USUAL)
    reference = start.seen(start.hours, 1, distances=True)
    after = start.seen(traffic(start.world, start.grids, HOURS_OF_TRAINING, 24 * DAYS), 1, distances=True)
    detector = fitted(start.training, reference, 1)
    found = others(start.training, reference, after)
    found[OURS] = np.array([answer.alarm for answer in answers(detector, after)])
    return {rule: alarm_days(after, alarmed) / DAYS * 365 for rule, alarmed in found.items()}
