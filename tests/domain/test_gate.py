import math
from dataclasses import replace

import pytest

from domain.gate import DayLoss, GateVerdict, Objection, decide_gate, with_objections

CALM_AND_STORMY = [0.06, 0.07, 0.05, 0.30, 0.28, 0.08, 0.10, 0.12, 0.06, 0.25, 0.09, 0.11, 0.07, 0.10]


def days(challenger_over_champion: float, *, wobble: float = 0.0) -> list[DayLoss]:
    """A fortnight of 900 flights a day; the challenger's advantage wobbles from day to day."""
    return [
        DayLoss(
            day=f"2013-02-{number:02d}",
            rows=900,
            challenger=900 * loss * (challenger_over_champion + (wobble if number % 2 else -wobble)),
            champion=900 * loss,
            base_rate=900 * 0.14,
        )
        for number, loss in enumerate(CALM_AND_STORMY, 1)
    ]


def judge(fortnight: list[DayLoss], margin: float = 0.02) -> GateVerdict:
    return decide_gate(fortnight, margin=margin, resamples=1000)


def test_a_challenger_that_is_better_on_each_day_passes() -> None:
    verdict = judge(days(0.97))
    assert verdict.passed
    assert verdict.relative_difference == pytest.approx(-0.03)
    assert verdict.upper_bound == pytest.approx(-0.03)


def test_a_challenger_that_is_clearly_worse_is_refused_with_the_numbers() -> None:
    verdict = judge(days(1.1))
    assert not verdict.passed
    assert "+10.00%" in verdict.reason
    assert "allowed is +2.00%" in verdict.reason


def test_a_tie_passes_when_it_is_sure_and_fails_when_the_days_disagree() -> None:
    assert judge(days(1.0, wobble=0.01)).passed
    assert not judge(days(1.0, wobble=0.3)).passed


def test_better_on_average_is_not_enough_when_one_day_made_it_so() -> None:
    fortnight = days(1.03)
    fortnight[3] = replace(fortnight[3], challenger=fortnight[3].challenger * 0.7)
    verdict = judge(fortnight)
    assert verdict.relative_difference < 0
    assert not verdict.passed


def test_the_margin_alone_decides_between_two_equal_verdicts() -> None:
    fortnight = days(1.01)
    assert judge(fortnight, margin=0.02).passed
    assert not judge(fortnight, margin=0.005).passed


def test_the_pairs_are_drawn_together_so_that_a_stormy_day_is_hard_for_both() -> None:
    """Drawn apart, days of 0.05 to 0.30 would spread the difference by tens of percent."""
    assert judge(days(1.0)).upper_bound == pytest.approx(0.0)


def test_the_same_days_give_the_same_verdict_each_time() -> None:
    assert judge(days(1.0, wobble=0.1)) == judge(days(1.0, wobble=0.1))


def test_four_days_are_too_few_to_dethrone_a_champion() -> None:
    verdict = judge(days(0.5)[:4])
    assert not verdict.passed
    assert "4 held-out days" in verdict.reason


def test_without_a_champion_the_base_rate_must_be_beaten() -> None:
    better = [replace(day, champion=None) for day in days(1.0)]
    worse = [replace(day, challenger=day.base_rate + 1) for day in better]
    assert judge(better).passed
    assert judge(better).rule == "beats-base-rate"
    assert judge(better).champion_loss is None
    assert not judge(worse).passed


def test_no_better_than_the_base_rate_is_refused() -> None:
    equal = [replace(day, champion=None, challenger=day.base_rate) for day in days(1.0)]
    assert not judge(equal).passed


def test_a_perfect_champion_stays_whether_it_is_matched_or_approached() -> None:
    perfect = [replace(day, champion=0.0, challenger=0.0) for day in days(1.0)]
    nearly = [replace(day, challenger=0.001) for day in perfect]
    assert judge(perfect).rule == "tie"
    assert not judge(nearly).passed


def test_a_challenger_that_answers_as_the_champion_does_is_no_gain_and_the_champion_stays() -> None:
    verdict = judge(days(1.0))
    assert (verdict.passed, verdict.rule, verdict.relative_difference) == (False, "tie", 0.0)
    assert verdict.reason.endswith("on each of 14 days: a tie keeps the champion")


@pytest.mark.parametrize("field", ["challenger", "champion", "base_rate"])
@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_refused_by_its_day(field: str, loss: float) -> None:
    fortnight = days(1.0, wobble=0.01)
    fortnight[3] = replace(fortnight[3], **{field: loss})
    with pytest.raises(ValueError, match="no finite number on 2013-02-04"):
        judge(fortnight)


def test_an_objection_refuses_a_model_that_passed_and_is_told_beside_the_numbers() -> None:
    worse = Objection("slice", "origin 'LGA': worse")
    verdict = with_objections(judge(days(0.97)), [worse, Objection("bias", "DI is 0.5")])
    assert (verdict.passed, verdict.rule) == (False, "slice")
    assert verdict.reason.endswith("; but origin 'LGA': worse; DI is 0.5")
    assert verdict.relative_difference == pytest.approx(-0.03)
    assert with_objections(judge(days(1.1)), [worse]).rule == "non-inferior"
    assert with_objections(judge(days(0.97)), []) == judge(days(0.97))


def test_no_days_and_days_without_rows_are_refused() -> None:
    for fortnight in ([], [replace(days(1.0)[0], rows=0)]):
        with pytest.raises(ValueError, match="at least one row"):
            judge(fortnight)
