"""The reasons of survivors: each covers a mutant that there is, and only what it names."""

from __future__ import annotations

import pytest

from config.schema import load
from rehearsal.sweep import reasons
from rehearsal.sweep.mutants import Mutant, mutants
from rehearsal.sweep.reasons import REASONS, Reason
from rehearsal.sweep.short import CONFIG
from tests.stacks import delivery_synthesis
from tests.stacks.synthesis import synthesise

DROPPED = Mutant("dev-storage", "action", ("Resources", "Role", "Action", 0), said="s3:GetObject")


def test_a_survivor_without_a_reason_is_named_and_a_reason_without_a_survivor_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reasons, "REASONS", (Reason(("*-storage drop *", "*-training drop *"), "why"),))
    other = Mutant("dev-serving", "action", ("Resources", "Role", "Action", 0))
    assert reasons.unexplained([DROPPED, other]) == [other]
    assert reasons.stale([DROPPED, other]) == ["*-training drop *"]


def test_only_stars_are_wild_in_a_reason() -> None:
    spoiled = Mutant("s", "pattern", ("Resources", "Rule"), "set", '["spoiled"]')
    assert Reason(('s set ["spoiled"] at Resources.Rule',), "why").covers(spoiled)
    assert not Reason(('s set "spoiled" at Resources.Rule',), "why").covers(spoiled)


def test_every_reason_says_something_of_a_mutant_that_there_is() -> None:
    dev = synthesise(load(CONFIG))
    templates = {dev.stack_name(part): template for part, template in dev.templates.items()}
    templates["tideline-delivery"] = delivery_synthesis.committed().templates["stack"]
    found = [mutant for stack, template in templates.items() for mutant in mutants(stack, template)]
    assert reasons.stale(found) == []
    assert [reason for reason in REASONS if len(reason.why) < 20] == []
