import pytest

from domain.loss import mean_loss, row_loss


def test_a_sure_and_right_prediction_costs_nothing_and_a_sure_and_wrong_one_costs_one() -> None:
    assert row_loss("binary", 1.0, 1) == 0.0
    assert row_loss("binary", 1.0, 0) == 1.0


def test_a_regression_pays_the_squared_error() -> None:
    assert row_loss("regression", -2.0, 1.0) == 9.0


def test_an_unknown_task_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="got task 'ranking', allowed are binary, multiclass, regression"):
        row_loss("ranking", 0.5, 1)


@pytest.mark.parametrize("prediction, target", [(1.5, 1), (-0.1, 0), (0.5, 0.5), (float("nan"), 1)])
def test_a_binary_loss_takes_a_probability_and_an_outcome_and_nothing_else(
    prediction: float, target: float
) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        row_loss("binary", prediction, target)


def test_the_mean_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        mean_loss("binary", [], [])
