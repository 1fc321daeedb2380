"""What the benchmark of releases counts, and how a claim is compared."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from benchmarks.releasing.ours import GOOD, LIVES
from benchmarks.releasing.traffic import Response, lost
from benchmarks.results import Claim

AT = datetime(2013, 3, 1, tzinfo=UTC)


def test_a_request_without_an_answer_is_lost_whether_the_model_or_the_way_to_it_failed() -> None:
    answers = [Response(AT, status, 5.0) for status in (200, 500, 400, 0)]
    assert lost(answers) == 3


def test_the_lives_are_twenty_releases_and_five_rollbacks() -> None:
    changes = [change for life in LIVES for change in life.releases]
    assert (changes.count(GOOD), len(changes)) == (20, 25)


@pytest.mark.parametrize(("ours", "peer", "ratio"), [(0, 0, 1.0), (0, 20, 0.0), (4, 20, 0.2)])
def test_two_sides_that_are_equal_have_the_ratio_one(ours: float, peer: float, ratio: float) -> None:
    assert Claim("requests", ours, peer, "peer", "requests").ratio == ratio
