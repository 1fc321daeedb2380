"""The short life is judged by what holds of every life: the season's own counts would never come in two days."""

from __future__ import annotations

from pathlib import Path

from rehearsal.scenarios.expected import Expected
from rehearsal.sweep import short


def test_the_short_life_is_not_asked_for_what_only_a_whole_season_brings(tmp_path: Path) -> None:
    played = short.scenario(tmp_path)
    assert (played.expected, played.later) == (Expected(), None)
    assert not played.judges_grants
    assert played.retrains == 1
