"""A stream of hours through all rules: which windows each one alarms in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.streams.rules import ADWIN, Distances, adwin, alarms, distances
from domain.drift.counts import Counts
from domain.drift.detector import Answer, Detector, fit
from domain.drift.effects import Yardstick
from domain.drift.signals import Training
from domain.drift.windows import Window

OURS = "Tideline"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """A window without its counts: when, how many rows, its signals and its distances."""

    window: Window
    signals: Floats
    distances: Distances | None


def light(window: Window) -> Window:
    """A window without its cells: a year of them fits into memory."""
    none, whole = np.zeros((0, 0), np.int64), window.counts
    sums = Counts(whole.rows, none, (), none, whole.labelled, whole.micro_loss, whole.micro_expected)
    return replace(window, counts=sums)


def look(training: Training, windows: Iterable[Window], yardstick: Yardstick | None = None) -> list[Seen]:
    return [
        Seen(light(w), training.signals(w.counts), distances(yardstick, w.counts) if yardstick else None)
        for w in windows
    ]


EVERY = slice(None)


def fitted(
    training: Training, reference: Sequence[Seen], window_hours: int, *, part: slice = EVERY
) -> Detector:
    """At one false alarm a year; `part` of the signals alone, if wished."""
    return fit(
        training.names[part],
        [seen.window for seen in reference],
        np.array([seen.signals[part] for seen in reference]),
        window_hours=window_hours,
        false_alarms_per_year=1,
    )


def answers(detector: Detector, after: Sequence[Seen], *, part: slice = EVERY) -> list[Answer]:
    """The detector's answer to each window; after an alarm the evidence starts anew."""
    values = np.array([seen.signals[part] for seen in after])
    evidence, found = detector.begin(), []
    for number, row in enumerate(detector.scores([seen.window for seen in after], values)):
        evidence, answer = detector.ask(evidence, row, number)
        found.append(answer)
        if answer.alarm:
            evidence = detector.begin()
    return found


def others(
    training: Training, reference: Sequence[Seen], after: Sequence[Seen]
) -> dict[str, NDArray[np.bool_]]:
    """(windows,) of alarms of each rule in use today."""
    before, now = ([s.distances for s in part if s.distances] for part in (reference, after))
    score = [signal.name for signal in training.names].index("location of the prediction")
    stream = np.array([seen.signals[score] for seen in (*reference, *after)])
    found = alarms(before, now, training.counts.rows)
    return {**found, ADWIN: adwin(stream)[len(reference) :]}


def alarm_days(windows: Sequence[Seen], alarmed: NDArray[np.bool_]) -> int:
    """How many days had an alarm."""
    return len({seen.window.last // 24 for seen, alarm in zip(windows, alarmed, strict=True) if alarm})
