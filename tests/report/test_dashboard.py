"""The page of a dashboard: what is where, what is joined, what is said, and nothing from data that is not escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rehearsal.engine.dashboards import Line, Panel, Wall
from rehearsal.engine.log_queries import Table
from rehearsal.report import dashboard

START = datetime(2013, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def graph(points: dict[int, float], **properties: Any) -> Panel:
    by_day = {START + day * DAY: value for day, value in points.items()}
    line = Line("A graph", "own", "Own", "a <line>", 86_400, by_day)
    return Panel("metric", 12, 1, 12, 6, {"title": "A graph", **properties}, (line,))


def shown(*panels: Panel) -> str:
    return dashboard.render(Wall("own", START, START + 28 * DAY, panels))


def test_points_of_neighbouring_periods_are_joined_and_a_gap_is_a_gap() -> None:
    (curve,) = dashboard.plot(graph({1: 1, 2: 2, 9: 3}), START, START + 28 * DAY).curves
    assert re.sub(r"[\d. ]", "", curve.path) == "ML"
    assert re.sub(r"[\d. ]", "", curve.dots) == "Mh"


def test_the_last_value_is_told_and_so_is_its_lack() -> None:
    assert "a &lt;line&gt;: 2.5" in shown(graph({1: 1, 2: 2.5}))
    assert "a &lt;line&gt;: no data" in shown(graph({}))


def test_a_limit_is_drawn_even_above_every_value() -> None:
    limit = {"annotations": {"horizontal": [{"value": 8.0, "label": "the alarm"}]}}
    plot = dashboard.plot(graph({1: 1}, **limit, yAxis={"left": {"min": 0}}), START, START + 28 * DAY)
    assert plot.levels[-1].label == "8"
    assert [one.percent for one in plot.limits] == [100]


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-9, 7.0, 123_456_789.0])
def test_every_value_lies_within_the_levels_of_its_axis(value: float) -> None:
    levels = dashboard._levels([value], {})
    assert levels[0] <= value <= levels[-1]
    assert len(levels) <= 7


def test_a_widget_lies_where_the_dashboard_puts_it() -> None:
    assert "grid-column: 13 / span 12; grid-row: 2 / span 6" in shown(graph({1: 1}))


def test_what_logs_and_texts_say_is_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    log = Panel("log", 0, 0, 24, 6, {"title": hostile}, table=Table(("why",), ({"why": hostile},)))
    text = Panel("text", 0, 6, 24, 1, {"markdown": f"# {hostile}\n{hostile}"})
    page = shown(log, text, Panel("alarm", 0, 7, 24, 1, {"title": "Alarms"}, states=((hostile, "OK"),)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_the_same_wall_gives_the_same_page() -> None:
    assert shown(graph({1: 1, 2: 4})) == shown(graph({1: 1, 2: 4}))
