"""Which files a transform predicts, how it ended, and what is captured of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.capture import parse_capture
from domain.decision import Decision
from domain.transforms import (
    COMPLETED,
    FAILED,
    MOST_FILES,
    NOT_RUN,
    Transform,
    capture_key,
    captured,
    decide_transform,
    failure,
    outputs_of,
    pending_files,
    status_at_end,
)

FILES = ("requests/2013/03/01/a.csv", "requests/2013/03/01/b.csv")
ENDED = Transform(
    job="d-x-20130301-0200",
    release_id="000001",
    package_arn="arn:model-package/d-x/1",
    model_name="d-x-000001-0123abcd",
    instance_type="ml.c5.large",
    files=FILES,
    started_at="2013-03-01T02:00:00Z",
    status=COMPLETED,
    predicted=FILES,
)
PART = replace(ENDED, status=FAILED, predicted=FILES[:1], reason="ClientError: See job logs")


def decided(**changes: object) -> Decision:
    state: dict[str, object] = {
        "listed": FILES,
        "past": [],
        "serving": ("000001", "arn:model-package/d-x/1"),
        "deployment": "d-x",
        "model_name": "d-x-000001-0123abcd",
        "stack_status": "UPDATE_COMPLETE",
    }
    return decide_transform(**{**state, **changes})  # type: ignore[arg-type]


def test_files_that_came_are_predicted_with_the_model_that_is_live() -> None:
    decision = decided()
    assert (decision.verdict, decision.rule) == ("start", "requests-came")
    assert decision.reasons == ("d-x/1 predicts 2 files that came",)


@pytest.mark.parametrize(
    ("changes", "verdict", "rule"),
    [
        ({"serving": None}, "skip", "no-model"),
        ({"past": [ENDED]}, "skip", "nothing-new"),
        ({"past": [replace(ENDED, status="started", predicted=())]}, "wait", "transform-in-flight"),
        ({"stack_status": "UPDATE_IN_PROGRESS"}, "wait", "release-in-flight"),
        ({"model_name": "d-x-000002-0123abcd"}, "wait", "release-in-flight"),
        ({"model_name": None}, "wait", "release-in-flight"),
    ],
)
def test_nothing_is_predicted_where_there_is_a_reason(
    changes: dict[str, object], verdict: str, rule: str
) -> None:
    assert (decided(**changes).verdict, decided(**changes).rule) == (verdict, rule)


def test_a_file_without_an_output_is_tried_once_more_and_then_left_to_people() -> None:
    again = replace(PART, job="d-x-20130302-0200", files=FILES[1:], predicted=())
    assert pending_files(FILES, [PART]) == FILES[1:]
    assert pending_files(FILES, [PART, again]) == ()


def test_what_aws_had_no_room_for_is_no_try() -> None:
    lacked = replace(ENDED, status=NOT_RUN, predicted=())
    assert pending_files(FILES, [lacked, lacked, lacked]) == FILES


def test_a_transform_takes_only_so_many_files() -> None:
    listed = [f"requests/2013/03/01/{number:05d}.csv" for number in range(MOST_FILES + 1)]
    assert pending_files(listed, []) == tuple(listed[:-1])


@pytest.mark.parametrize(
    ("job_status", "reason", "predicted", "expected"),
    [
        ("Completed", "", FILES, COMPLETED),
        ("Failed", "ClientError: See job logs", FILES[:1], FAILED),
        ("Failed", "Unable to provision requested ML compute capacity", (), NOT_RUN),
        ("Failed", "ClientError: See job logs", (), FAILED),
        ("Stopped", "", (), FAILED),
    ],
)
def test_how_a_transform_ended(
    job_status: str, reason: str, predicted: tuple[str, ...], expected: str
) -> None:
    assert status_at_end(job_status, reason=reason, predicted=predicted) == expected


def test_an_output_is_found_by_its_name_wherever_under_the_job_it_lies() -> None:
    written = [
        "predictions/j/2013/03/01/a.csv.out",
        "predictions/j/elsewhere/b.csv.out",
        "predictions/j/c.csv.out",
    ]
    assert outputs_of(ENDED, written) == dict(zip(FILES, written[:2], strict=True))


def test_what_was_predicted_reads_as_captured_traffic() -> None:
    predicted = captured('1.5,"a,b",0.25\n,c,1.0\n', file=FILES[0], transform=ENDED)
    (exchange,), bad = parse_capture(predicted.line, ["x", "y"])
    assert bad == 0
    assert (exchange.rows, exchange.predictions) == ((("1.5", "a,b"), ("", "c")), (0.25, 1.0))
    assert (exchange.inference_id, exchange.model) == ("2013/03/01/a", "arn:model-package/d-x/1")
    assert exchange.at == datetime(2013, 3, 1, 2, tzinfo=UTC)
    assert predicted.rows == 2


def test_the_probabilities_of_each_class_are_told_from_the_cells_of_the_row() -> None:
    transform = replace(ENDED, values=3)
    predicted = captured('1.5,"a,b",0.25,0.5,0.25\n,c,1.0,0.0,0.0\n', file=FILES[0], transform=transform)
    (exchange,), bad = parse_capture(predicted.line, ["x", "y"])
    assert bad == 0
    assert exchange.rows == (("1.5", "a,b"), ("", "c"))
    assert exchange.predictions == ((0.25, 0.5, 0.25), (1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="no prediction"):
        captured("0.5,0.5\n", file=FILES[0], transform=transform)


def test_an_output_without_predictions_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"requests/2013/03/01/a.csv: a line"):
        captured("alone\n", file=FILES[0], transform=ENDED)


def test_files_of_one_transform_are_captured_under_keys_of_their_own() -> None:
    at = datetime(2013, 3, 1, 2, tzinfo=UTC)
    keys = {capture_key(ENDED, file, endpoint="d-x", variant="live", at=at) for file in FILES}
    assert len(keys) == 2
    assert all(key.startswith("capture/d-x/live/2013/03/01/02/d-x-20130301-0200-") for key in keys)


def test_people_hear_which_files_are_tried_again_and_which_are_not() -> None:
    said = failure(PART, [PART])
    assert "left 1 of 2 files without a prediction; ClientError: See job logs" in said
    assert "tried again tomorrow: requests/2013/03/01/b.csv" in said
    given_up = failure(PART, [PART, replace(PART, job="before")])
    assert "not tried again" in given_up
    assert "tried again tomorrow" not in given_up
    assert failure(ENDED, [ENDED]) == ""


def test_a_transform_comes_back_from_the_ledger_as_it_was() -> None:
    assert Transform.from_json(json.loads(json.dumps(PART.to_json()))) == PART
