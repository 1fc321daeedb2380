"""Which mutants a whole season is played for, and what that season is."""

from __future__ import annotations

from rehearsal.scenarios.load import STANDARD, find
from rehearsal.sweep import short
from rehearsal.sweep.__main__ import drawn
from rehearsal.sweep.mutants import Mutant
from rehearsal.sweep.verdict import Verdict

CAUGHT = {Mutant("a", "statement", ("Resources", f"C{n}")): Verdict("caught") for n in range(20)}
ALIVE = {Mutant("a", "statement", ("Resources", f"S{n}")): Verdict("survived") for n in range(3)}


def test_half_of_them_are_survivors_and_the_same_seed_draws_the_same() -> None:
    verdicts = CAUGHT | ALIVE
    chosen = drawn(verdicts, 4, seed=0)
    assert [verdicts[one].state for one in chosen] == ["survived", "survived", "caught", "caught"]
    assert drawn(verdicts, 4, seed=0) == chosen
    assert any(drawn(verdicts, 4, seed=seed) != chosen for seed in range(1, 9))


def test_where_too_few_survive_more_that_were_caught_are_taken() -> None:
    assert len(drawn(CAUGHT | ALIVE, 12, seed=0)) == 12
    assert len(drawn(CAUGHT, 12, seed=0)) == 12
    assert len(drawn(ALIVE, 12, seed=0)) == 3


def test_by_the_end_of_the_season_that_is_played_every_push_of_the_standard_one_has_come() -> None:
    season = find(STANDARD).file
    assert max(push.at for push in season.pushes) < short.SEASON_END < season.end
