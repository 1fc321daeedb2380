"""The deployed dashboard as one HTML page, with what the rehearsal published: nothing fetched, no script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markdown_it import MarkdownIt

from rehearsal.engine.dashboards import Line, Panel, Wall
from rehearsal.report.page import environment

SIDE = 1000
"""Both sides of a plot, in units of its own; the page stretches it."""
ROW_PX, GAP_PX, HEADER_PX = 50, 6, 90
"""A row of the grid with the gap below it; and what stands above the first."""
COLOURS = 9
Y_TICKS = 4
DATES = 7


@dataclass(frozen=True)
class Tick:
    """A label at a share of a side, from the left or from the bottom, in percent."""

    percent: float
    label: str


@dataclass(frozen=True)
class Curve:
    label: str
    last: str
    colour: int
    path: str
    dots: str
    """Points without a neighbour."""


@dataclass(frozen=True)
class Limit:
    percent: float
    label: str


@dataclass(frozen=True)
class Plot:
    curves: tuple[Curve, ...]
    limits: tuple[Limit, ...]
    levels: tuple[Tick, ...]
    dates: tuple[Tick, ...]
    unit: str


@dataclass(frozen=True)
class Scale:
    """From a time and a value to shares of a side."""

    start: datetime
    end: datetime
    lowest: float
    highest: float

    def x(self, at: datetime) -> float:
        return (at - self.start) / (self.end - self.start)

    def y(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.lowest) / (self.highest - self.lowest)))


def render(wall: Wall) -> str:
    """The same wall gives the same bytes."""
    page = environment()
    page.filters["markdown"] = MarkdownIt("commonmark", {"html": False}).render
    cards = [
        (panel, plot(panel, wall.start, wall.end) if panel.kind == "metric" else None)
        for panel in wall.panels
    ]
    rows = max((panel.y + panel.height for panel in wall.panels), default=0)
    height = ROW_PX * rows + HEADER_PX
    return page.get_template("dashboard.html.j2").render(
        cards=cards, wall=wall, height=height, row_px=ROW_PX, gap_px=GAP_PX
    )


def plot(panel: Panel, start: datetime, end: datetime) -> Plot:
    """A graph over [start, end], its y axis as the properties say or as wide as its values and limits."""
    axis = panel.properties.get("yAxis", {}).get("left", {})
    drawn = panel.properties.get("annotations", {}).get("horizontal", [])
    values = [value for line in panel.lines for value in line.points.values()]
    levels = _levels([*values, *(one["value"] for one in drawn)], axis)
    scale = Scale(start, end, levels[0], levels[-1])
    return Plot(
        tuple(_curve(line, number % COLOURS, scale) for number, line in enumerate(panel.lines)),
        tuple(Limit(_percent(scale.y(one["value"])), one.get("label", "")) for one in drawn),
        tuple(Tick(_percent(scale.y(level)), said(level)) for level in levels),
        tuple(_dates(scale)),
        axis.get("label", ""),
    )


def _levels(values: Sequence[float], axis: Mapping[str, Any]) -> list[float]:
    """Round numbers that the values lie between.

    >>> _levels([3.0, 41.0], {"min": 0}), _levels([100.0, 100.0], {"max": 100})
    ([0.0, 20.0, 40.0, 60.0], [99.0, 99.5, 100.0])
    """
    lowest = axis.get("min", min(values, default=0.0))
    highest = axis.get("max", max(values, default=1.0))
    if highest <= lowest:
        lowest, highest = (lowest - 1, highest) if "max" in axis else (lowest, lowest + 1)
    rough = (highest - lowest) / Y_TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    return [round(number * float(step), 12) for number in range(first, last + 1)]


def _curve(line: Line, colour: int, scale: Scale) -> Curve:
    """Points are joined to that of the period before: what nobody published is a gap, as in CloudWatch."""
    strokes: list[list[str]] = []
    before: datetime | None = None
    for at, value in line.points.items():
        point = f"{round(scale.x(at) * SIDE, 1)} {round((1 - scale.y(value)) * SIDE, 1)}"
        if before is None or at - before > timedelta(seconds=line.period_seconds):
            strokes.append([])
        strokes[-1].append(point)
        before = at
    path = "".join(f"M{'L'.join(points)}" for points in strokes if len(points) > 1)
    dots = "".join(f"M{points[0]}h0" for points in strokes if len(points) == 1)
    last = "no data" if line.value is None else said(line.value)
    return Curve(line.label, last, colour, path, dots)


def _dates(scale: Scale) -> Iterator[Tick]:
    step = max(1, math.ceil((scale.end - scale.start).days / DATES))
    day = scale.start.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while day < scale.end:
        if scale.x(day) < 0.97:
            yield Tick(_percent(scale.x(day)), f"{day:%d %b}")
        day += timedelta(days=step)


def _percent(share: float) -> float:
    return round(100 * share, 2)


def said(value: float) -> str:
    """
    >>> said(1234567.0), said(0.04567), said(250.0)
    ('1,234,567', '0.04567', '250')
    """
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
