"""A real series through all rules: shuffled days, where alarms are false; true order; and what retraining does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.streams.rules import RULES
from benchmarks.streams.runs import OURS, Seen, answers, fitted, look, others
from benchmarks.streams.series import Table, day_counts
from domain.drift.counts import Counts
from domain.drift.effects import Yardstick
from domain.drift.signals import Training
from domain.drift.windows import windows
from rehearsal.scenarios.table_changes import within_weekdays

COOLDOWN_DAYS = 14
FIRST_DAY = 4
"""Day 4 of our clock was a Monday."""


@dataclass(frozen=True)
class Played:
    """Of each rule the days, counted from the end of the reference, on which it alarmed."""

    days: int
    alarms: dict[str, list[int]]
    carriers: list[str]
    """Of our alarms: the signal that carried most of it."""

    def a_year(self, rule: str) -> float:
        return len(self.alarms[rule]) * 365 / self.days

    def first(self, rule: str) -> int | None:
        return self.alarms[rule][0] if self.alarms[rule] else None


def shuffled(table: Table, seed: int) -> list[int]:
    """The table's days in another order, each on its own day of the week."""
    weekdays = [place % 7 for place in range(len(table.days))]
    return within_weekdays(weekdays, np.random.default_rng(seed).shuffle)


def play(table: Table, order: Sequence[int]) -> Played:
    """The first days are the reference; the rest are watched."""
    first = order[: table.reference_days]
    training, seen = see(table, first, order)
    reference, after = seen[: len(first)], seen[len(first) :]
    found = answers(fitted(training, reference, 24), after)
    alarms = {OURS: [number for number, answer in enumerate(found, 1) if answer.alarm]}
    for rule, alarmed in others(training, reference, after).items():
        alarms[rule] = [int(number) + 1 for number in np.flatnonzero(alarmed)]
    carriers = [answer.carriers[0].signal.name for answer in found if answer.alarm]
    return Played(len(after), alarms, carriers)


def see(
    table: Table, trained_on: Sequence[int], order: Sequence[int], *, start: int = 0, distances: bool = True
) -> tuple[Training, list[Seen]]:
    """Every day of `order` from place `start` on, against the days that a model was trained on."""
    grids, counts = day_counts(table, trained_on)
    rows: list[Counts] = [counts[day] for day in trained_on]
    training = Training(grids, sum(rows[1:], rows[0]))
    hours = (24 * (FIRST_DAY + place) for place in range(start, len(order) + 1))
    last = rows[0]  # it closes the window before it, and stays open itself
    closed = windows(
        zip(hours, [*(counts[day] for day in order[start:]), last], strict=True), window_hours=24
    )
    return training, look(training, closed, Yardstick(training) if distances else None)


NEVER, MONTHLY, BY_LOSS = "never", "every 30 days", f"{OURS}, measured loss alone"


@dataclass(frozen=True)
class Kept:
    """What a way to retrain came to: the mean loss of the rows after the first reference, and its runs."""

    loss: float
    runs: int


def retrain(table: Table, when: str) -> Kept:
    """In true order. A run trains on the latest days, as many as the first model had, and serves from the next on."""
    length, order = table.reference_days, range(len(table.days))
    begin, runs, lost, rows = length, 0, 0.0, 0
    while begin < len(order):
        latest = order[begin - length : begin]
        training, seen = see(table, latest, order, start=begin - length, distances=when in RULES)
        end = begin + _next_run(when, training, seen[:length], seen[length:])
        for one in seen[length : length + end - begin]:
            lost += one.window.counts.micro_loss / 1e6
            rows += one.window.counts.labelled
        runs, begin = runs + (end < len(order)), end
    return Kept(lost / rows, runs)


def _next_run(when: str, training: Training, reference: list[Seen], after: list[Seen]) -> int:
    """After how many days the next run is due; all of them if none is."""
    if when == NEVER:
        return len(after)
    if when == MONTHLY:
        return min(30, len(after))
    if when in (OURS, BY_LOSS):
        part = slice(None) if when == OURS else slice(-1, None)
        found = answers(fitted(training, reference, 24, part=part), after, part=part)
        alarmed = np.array([answer.alarm for answer in found])
    else:
        alarmed = others(training, reference, after)[when]
    due = np.flatnonzero(alarmed[COOLDOWN_DAYS:])
    return COOLDOWN_DAYS + int(due[0]) + 1 if len(due) else len(after)
