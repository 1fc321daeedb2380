"""The evidence on days of a model's loss; how often it errs over seasons is measured by `make bench NAME=null`."""

from datetime import date, timedelta
from random import Random

from domain.drift.loss_watch import loss_evidence
from domain.loss import LossDay
from domain.monitoring import LossEvidence

FIRST = date(2013, 1, 1)


def days(
    count: int, *, after: int = 0, seed: int = 1, shift: float = 0.0, rows: int = 900, expected: float = 0.125
) -> list[LossDay]:
    """Days whose mean loss is as expected and `shift` more, give or take a hundredth."""
    draw = Random(seed)
    return [
        LossDay(
            str(FIRST + timedelta(days=after + n)),
            rows,
            round(1e6 * rows * (expected + shift + draw.gauss(0, 0.01))),
            round(1e6 * rows * expected),
        )
        for n in range(count)
    ]


REFERENCE = days(59)


def asked(live: list[LossDay], **changes) -> LossEvidence:
    settings = {"min_rows": 100, "false_alarms_per_year": 1.0} | changes
    return loss_evidence(
        changes.get("reference", REFERENCE),
        live,
        **{name: value for name, value in settings.items() if name != "reference"},
    )


def test_days_like_the_reference_are_hardly_any_evidence() -> None:
    assert asked(days(30, after=59, seed=2)).level < 0.5


def test_a_model_that_got_worse_alarms_within_days_and_the_first_of_them_is_told() -> None:
    quiet, worse = days(20, after=59, seed=2), days(6, after=79, seed=3, shift=0.04)
    before, found = asked(quiet), asked(quiet + worse)
    assert before.level < 1 <= found.level
    assert found.since is not None
    assert abs((date.fromisoformat(found.since) - (FIRST + timedelta(days=79))).days) <= 2


def test_a_model_that_got_better_raises_no_alarm() -> None:
    assert asked(days(40, after=59, seed=2, shift=-0.04)).level < 0.5


def test_a_stormy_week_that_the_answers_expect_is_no_evidence() -> None:
    assert asked(days(14, after=59, seed=2, expected=0.2)).level < 0.5


def test_the_more_false_alarms_are_accepted_the_sooner_it_alarms() -> None:
    live = days(4, after=59, seed=3, shift=0.02)
    levels = [asked(live, false_alarms_per_year=rate).level for rate in (0.1, 1.0, 10.0)]
    assert levels == sorted(levels)
    assert levels[0] < levels[2]


def test_the_threshold_is_the_days_between_two_false_alarms() -> None:
    found = asked([], false_alarms_per_year=2.0)
    assert found.threshold is not None
    assert 180 < found.threshold < 190


def test_a_day_with_too_few_rows_waits_for_the_next() -> None:
    sparse = days(10, after=59, seed=2, rows=60)
    assert asked(sparse, min_rows=100).windows == 5
    assert asked(sparse, min_rows=60).windows == 10


def test_below_four_weeks_of_reference_it_says_so_and_alarms_nobody() -> None:
    found = asked(days(20, after=59, shift=0.5), reference=days(27))
    assert (found.level, found.threshold) == (0.0, None)
    assert "27 windows over 27 days" in found.young


def test_when_the_loss_is_as_expected_again_the_evidence_fades() -> None:
    worse, mended = days(8, after=59, seed=3, shift=0.04), days(30, after=67, seed=4)
    assert asked(worse).level >= 1
    assert asked(worse + mended).level < 1
