from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from rehearsal.engine.journal import Entry
from rehearsal.report import acts, timeline
from rehearsal.report.page import render
from rehearsal.report.story import Story, prices
from rehearsal.report.timeline import HEIGHT, WIDTH, Moment

START = datetime(2024, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
VOID = {"meta", "br", "rect", "line", "circle", "polyline"}


def decision(**changes: Any) -> dict[str, Any]:
    known = {"at": "2024-01-05T10:00:00Z", "kind": "retrain", "verdict": "start", "rule": "alarm"}
    return {**known, "subject": HOSTILE, "reasons": [HOSTILE], "inputs": {HOSTILE: HOSTILE}, **changes}


def run(spent: int, at: str) -> dict[str, Any]:
    return {"spent_micro_usd": spent, "started_at": at, "plan": {"reserved_micro_usd": 200_000}}


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "scenario": HOSTILE,
        "from": "2024-01-01T00:00:00+00:00",
        "to": "2024-02-01T00:00:00+00:00",
        "passed": True,
        "refused": "",
        "requests": {"sent": 10, "answered": 10, "rows": 100, "lost": 0, "while_changing": {"sent": 2}},
        "runs": [run(2_000, "b"), run(1_000, "a")],
        "versions": [],
        "alarms": [],
        "decisions": [decision()],
        "expectations": [{"expectation": HOSTILE, "held": False, "where": HOSTILE}],
        "quality": {
            **{"rows": 100, "served": 0.1, "never_retrained": 0.2, "calendar": 0.15},
            **{"calendar_runs": 4, "calendar_failed": ""},
        },
        **changes,
    }


def story(**changes: Any) -> Story:
    told = summary()
    return replace(
        Story(
            summary=told,
            notes=(HOSTILE,),
            columns=({"column": HOSTILE, "feature": None, "kind": None, "why": HOSTILE},),
            start=START,
            end=START + timedelta(days=31),
            levels=tuple((START + timedelta(days=day), day / 25) for day in range(31)),
            false_alarms_per_year=1.0,
            moments=(Moment(START, "alarm", "ALARM", HOSTILE),),
            evidence=(("2024-01-01 00:00", "alarm", HOSTILE),),
            casts=tuple(acts.casts([Entry(START, HOSTILE, {HOSTILE: HOSTILE, "ok": False})])),
            roles=(acts.Act(HOSTILE, 1, 0, "", HOSTILE),),
            prices=tuple(prices(told)),
            evaluations=("run-0123456789abcdef",),
            assumed=3,
            behaviours=9,
        ),
        **changes,
    )


class Page(HTMLParser):
    """Collects every tag with its attributes, and fails where one is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = Page(render(story()))
    assert [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")] == []
    assert [a for _, attributes in page.tags for a in attributes if a == "src" or a.startswith("on")] == []
    links = [(tag, attributes["href"]) for tag, attributes in page.tags if "href" in attributes]
    assert links == [("a", "evaluations/run-0123456789abcdef.html")]
    assert "url(" not in render(story())


def test_what_comes_from_data_is_shown_and_never_obeyed() -> None:
    html = render(story())
    assert "<script>" not in html
    assert "49" not in re.sub(r"&#\d+;", "", html.split("<h2>Decisions</h2>")[1])
    assert html.count("&lt;script&gt;") >= 12


def test_the_same_story_gives_the_same_bytes() -> None:
    assert render(story()) == render(story())


def test_a_rehearsal_in_which_nothing_came_up_still_has_its_page() -> None:
    told = summary(passed=False, quality=None, runs=[], decisions=[])
    empty = story(summary=told, levels=(), moments=(), evidence=(), casts=(), roles=(), prices=())
    html = render(empty)
    assert "an expectation did not hold" in html
    assert "Nothing was served" in html
    Page(html)


def test_a_refused_model_is_explained() -> None:
    assert "Nothing was served: too bad" in render(story(summary=summary(refused="too bad")))


def test_a_calendar_run_costs_what_the_runs_cost_on_average() -> None:
    served, never, dated = prices(summary())
    assert (served.runs, served.spent_usd, served.reserved_usd) == (2, 0.003, 0.4)
    assert (never.runs, never.spent_usd, never.loss) == (1, 0.001, 0.2)
    assert (dated.runs, dated.loss) == (4, 0.15)
    assert dated.spent_usd == pytest.approx(0.006)
    assert dated.reserved_usd == pytest.approx(0.8)


@pytest.mark.parametrize("days, highest", [(1, 1.0), (76, 1.6), (365, 900.0), (20, 0.001)])
def test_everything_on_the_timeline_lies_within_it(days: int, highest: float) -> None:
    levels = [(START + timedelta(days=n), highest * n / days) for n in range(days)]
    moments = [
        Moment(START + timedelta(days=n), kind, kind, "")
        for n in range(-1, days + 2)
        for kind in ("alarm", "ok", "release")
    ]
    drawn = timeline.draw(START, START + timedelta(days=days), levels, moments)
    places = [(mark.x, mark.y) for mark in (*drawn.points, *drawn.marks)]
    places += [(tick.position, drawn.bottom) for tick in drawn.dates]
    places += [(drawn.left, tick.position) for tick in drawn.levels]
    places += [(x + width, drawn.top) for x, width in drawn.red]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert len(drawn.marks) == len(moments)


def test_an_alarm_that_never_ends_is_red_to_the_end() -> None:
    drawn = timeline.draw(START, START + timedelta(days=10), [], [Moment(START, "alarm", "", "")])
    [(x, width)] = drawn.red
    assert x + width == WIDTH - timeline.RIGHT


def test_an_unknown_kind_is_listed_by_its_own_name_or_its_first_words() -> None:
    entries = [
        Entry(START, "pipeline-action", {"pipeline-action": "Build", "status": "Failed"}),
        Entry(START, "denied", {"action": "s3:GetObject", "ok": False}),
    ]
    built, denied = acts.casts(entries)
    assert [(act.name, act.count, act.failed) for act in built.acts] == [("Build", 1, 1)]
    assert [(act.name, act.failed) for act in denied.acts] == [("s3:GetObject", 1)]


def test_who_never_acted_is_listed_with_what_it_failed_to_do() -> None:
    [cast] = acts.casts([], [("delivery", "OnDrift", "never matched an event")])
    assert cast.acts == (acts.Act("OnDrift", 0, 0, "", "never matched an event"),)
