"""Releases as people think of them."""

from __future__ import annotations

from typing import Any

from domain.history import OPEN, history
from domain.releases import ReleaseRecord

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev"


def body(number: int, outcome: str = "live", *, run: str = "run-1", closed: str = "") -> dict[str, Any]:
    record = ReleaseRecord(
        f"{number:06d}",
        f"s3://artefacts/runs/{run}/model/x.tar.gz",
        "i@sha256:1",
        f"{PACKAGE}/{number}",
        ("t",),
    )
    return {
        "release_id": record.release_id,
        "package_arn": record.package_arn,
        "parameter": record.to_parameter(),
        "heldout_loss": 0.1,
        "opened_at": f"2013-03-{number:02d}T10:00:00Z",
        "closed_at": closed or f"2013-03-{number:02d}T10:15:00Z",
        "outcome": outcome,
    }


def test_a_release_serves_until_the_next_one_that_serves() -> None:
    past = history([body(1), body(2, "rolled-back"), body(3)], None, [], [])
    assert [(one.since, one.until) for one in past] == [
        ("2013-03-01T10:15:00Z", "2013-03-03T10:15:00Z"),
        (None, None),
        ("2013-03-03T10:15:00Z", None),
    ]


def test_a_held_release_serves_too() -> None:
    first, second = history([body(1), body(2, "held")], None, [], [])
    assert first.until == second.since == "2013-03-02T10:15:00Z"


def test_the_release_in_flight_comes_last_and_ends_nobodys_service() -> None:
    live, opened = history([body(1)], body(2), [], [])
    assert opened.outcome == OPEN
    assert opened.since is None
    assert live.until is None


def test_each_release_says_what_its_model_was_trained_for() -> None:
    run = {"plan": {"run_id": "run-1", "cause": "alarm", "incident": "tideline-dev-loss@2013-04-22"}}
    known, brought = history([body(1), body(2, run="run-of-another-account")], None, [run], [])
    assert known.why == "alarm: tideline-dev-loss@2013-04-22"
    assert brought.why == "a package of no run"


def test_a_release_that_went_back_says_why_in_the_words_of_its_last_decision() -> None:
    decisions = [
        {"kind": "release", "subject": "000001/p/1", "reasons": ["p/1 is approved"]},
        {
            "kind": "release",
            "subject": "000001/p/1",
            "reasons": ["the endpoint runs another", "", "too slow"],
        },
        {"kind": "release", "subject": "000002/p/1", "reasons": ["somebody else's"]},
        {"kind": "retrain", "subject": "000001/p/1", "reasons": ["not of a release"]},
    ]
    [only] = history([body(1, "rolled-back")], None, [], decisions)
    assert only.because == "the endpoint runs another; too slow"
