import random

import pytest

from domain.threshold import by_cost, by_f_beta


def test_a_yes_that_is_cheap_is_said_early() -> None:
    assert by_cost(miss_cost=1, false_alarm_cost=1).value == 0.5
    assert by_cost(miss_cost=99, false_alarm_cost=1).value == 0.01


def test_a_cost_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed is what is above 0"):
        by_cost(miss_cost=0, false_alarm_cost=1)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_threshold_of_f_beta_is_about_the_best_on_the_labels_that_come_true(beta: float) -> None:
    draw = random.Random(0)
    said = [draw.betavariate(1, 8) for _ in range(20_000)]
    labels = [draw.random() < p for p in said]

    def f(threshold: float) -> float:
        hits = sum(label for p, label in zip(said, labels, strict=True) if p >= threshold)
        yes = sum(p >= threshold for p in said)
        return (1 + beta**2) * hits / (beta**2 * sum(labels) + yes)

    best = max(f(step / 100) for step in range(1, 60))
    assert f(by_f_beta(said, beta).value) > best - 0.01


def test_equal_probabilities_are_one_answer() -> None:
    assert by_f_beta([0.2] * 10, 1).value == 0.2
