"""The timeline as coordinates: evidence against its threshold, with what happened marked on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 1160, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 64, 40
MARK_ROWS = 3
ROW_HEIGHT = 15
TICKS = 8
THRESHOLD = 1.0
"""Evidence is told as a share of its threshold."""
MIN_GAP = 34
"""Pixels between two marks of a row, so that none hides another."""


@dataclass(frozen=True)
class Moment:
    """Something that happened: `kind` is alarm, ok, retrain or release; `label` a word, `evidence` the sentence."""

    at: datetime
    kind: str
    label: str
    evidence: str


@dataclass(frozen=True)
class Mark:
    x: float
    y: float
    number: int
    kind: str
    text: str


@dataclass(frozen=True)
class Tick:
    position: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """All that is drawn, within WIDTH and HEIGHT."""

    line: str
    points: tuple[Mark, ...]
    threshold_y: float
    red: tuple[tuple[float, float], ...]
    marks: tuple[Mark, ...]
    dates: tuple[Tick, ...]
    levels: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Scale:
    """From a time and a level of evidence to pixels."""

    start: datetime
    end: datetime
    highest: float

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, level: float) -> float:
        share = min(1.0, max(0.0, level / self.highest))
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def draw(
    start: datetime,
    end: datetime,
    levels: Sequence[tuple[datetime, float]],
    moments: Sequence[Moment],
) -> Timeline:
    """Lay the story out; levels above three thresholds are cut at the top, their number is in the tooltip."""
    first = min([start, *(moment.at for moment in moments)])
    last = max([end, first + timedelta(days=1), *(moment.at for moment in moments)])
    peak = max([THRESHOLD, *(level for _, level in levels)])
    scale = Scale(first, last, min(peak, 3 * THRESHOLD) * 1.08)
    points = tuple(
        Mark(scale.x(at), scale.y(level), 0, "level", f"{at:%Y-%m-%d}: {level:.3f}") for at, level in levels
    )
    return Timeline(
        line=" ".join(f"{point.x},{point.y}" for point in points),
        points=points,
        threshold_y=scale.y(THRESHOLD),
        red=_red(moments, scale, last),
        marks=_marks(moments, scale),
        dates=_dates(first, last, scale),
        levels=_levels(scale),
    )


def _red(moments: Sequence[Moment], scale: Scale, last: datetime) -> tuple[tuple[float, float], ...]:
    """From each alarm to the OK that ends it, as x and width."""
    spans, since = [], None
    for moment in moments:
        if moment.kind == "alarm" and since is None:
            since = moment.at
        elif moment.kind == "ok" and since is not None:
            spans.append((since, moment.at))
            since = None
    if since is not None:
        spans.append((since, last))
    return tuple((scale.x(a), round(max(1.0, scale.x(b) - scale.x(a)), 1)) for a, b in spans)


def _marks(moments: Sequence[Moment], scale: Scale) -> tuple[Mark, ...]:
    """Numbered as in the evidence below; each on the first row on which it hides nothing."""
    free = [float("-inf")] * MARK_ROWS
    marks = []
    for number, moment in enumerate(moments, 1):
        x = scale.x(moment.at)
        row = next((row for row in range(MARK_ROWS) if x - free[row] >= MIN_GAP), number % MARK_ROWS)
        free[row] = x
        inside = min(max(x, LEFT + 10), WIDTH - RIGHT - 10)
        y = 14 + row * ROW_HEIGHT
        marks.append(Mark(inside, y, number, moment.kind, f"{moment.at:%Y-%m-%d %H:%M} {moment.evidence}"))
    return tuple(marks)


def _dates(first: datetime, last: datetime, scale: Scale) -> tuple[Tick, ...]:
    step = max(1, -(-(last - first).days // TICKS))
    day = first.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    ticks: list[Tick] = []
    while day < last:
        if scale.x(day) <= WIDTH - RIGHT - 24:
            ticks.append(Tick(scale.x(day), f"{day:%d %b %Y}" if not ticks else f"{day:%d %b}"))
        day += timedelta(days=step)
    return tuple(ticks)


def _levels(scale: Scale) -> tuple[Tick, ...]:
    step = next((one for one in (0.25, 0.5, 1.0, 2.0, 5.0) if scale.highest / one <= 8), scale.highest / 4)
    count = int(scale.highest / step)
    return tuple(Tick(scale.y(step * n), f"{step * n:g}") for n in range(count + 1))
