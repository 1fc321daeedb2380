"""The story as one HTML page: everything in it, nothing fetched, every word from data escaped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain.counted import counted
from rehearsal.report.story import Story
from rehearsal.report.timeline import draw

HERE = Path(__file__).parent


def render(story: Story) -> str:
    """The same story gives the same bytes."""
    page = environment()
    page.filters["pretty"] = pretty
    page.filters["number"] = number
    page.filters["counted"] = counted
    drawing = draw(story.start, story.end, story.levels, story.moments)
    return page.get_template("page.html.j2").render(story=story, summary=story.summary, drawing=drawing)


def environment() -> Environment:
    """The templates beside this file; every value is escaped, and one that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def pretty(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def number(value: float | None) -> str:
    """Five significant digits, in full.

    >>> number(0.135312), number(145674.1184), number(None)
    ('0.13531', '145,674', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.5g}"
