from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import RELEASE_SLOTS
from domain.releases import (
    Champion,
    ReleaseRecord,
    decide_release,
    decide_unstarted,
    next_release_id,
    no_release,
)

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7"
RECORD = ReleaseRecord("000042", "s3://artefacts/m.tar.gz", "repo@sha256:1", PACKAGE, ("ml.c5.large",))
CHAMPION = Champion("000041", "arn:package/6", "s3://old", "repo@sha256:0", "s3://r", "s3://p", 0.12, "2013")
TEXT = st.text(min_size=1).filter(lambda text: "," not in text and text != "-")


@given(TEXT, TEXT, TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=RELEASE_SLOTS).map(tuple))
def test_a_record_survives_its_parameter(
    release_id: str, model_data: str, image: str, package: str, types: tuple[str, ...]
) -> None:
    record = ReleaseRecord(release_id, model_data, image, package, types)
    assert ReleaseRecord.from_parameter(record.to_parameter()) == record


@given(st.lists(TEXT, min_size=1, max_size=RELEASE_SLOTS).map(tuple))
def test_a_record_is_as_long_as_no_release_however_many_types_it_has(types: tuple[str, ...]) -> None:
    value = replace(RECORD, instance_types=types).to_parameter()
    assert len(value.split(",")) == len(no_release().split(","))


@pytest.mark.parametrize("field", ["release_id", "model_data", "image", "package_arn"])
@pytest.mark.parametrize("value", ["", "-", "a,b"])
def test_a_value_that_a_list_of_text_cannot_hold_is_refused(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ValueError, match="a value is text without a comma"):
        replace(RECORD, **changed)


@pytest.mark.parametrize("types", [(), ("a", "b", "c", "d")])
def test_a_record_has_one_to_three_types(types: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"got {len(types)}; allowed: 1 to 3"):
        replace(RECORD, instance_types=types)


def test_a_type_with_a_comma_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold 'a,b'"):
        replace(RECORD, instance_types=("a,b",))


@given(st.lists(st.integers(1, 999_999).map(lambda n: f"{n:06d}")))
def test_the_next_release_comes_after_all_others_in_number_and_as_text(existing: list[str]) -> None:
    following = next_release_id(existing)
    assert following not in existing
    assert all(int(following) > int(one) for one in existing)


@pytest.mark.parametrize(
    ("champion", "in_flight", "paused", "stack_status", "verdict", "rule"),
    [
        (None, None, False, "UPDATE_COMPLETE", "release", "approved"),
        (CHAMPION, None, False, "UPDATE_ROLLBACK_COMPLETE", "release", "approved"),
        (CHAMPION, None, False, "UPDATE_IN_PROGRESS", "wait", "stack-busy"),
        (CHAMPION, None, False, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait", "stack-busy"),
        (CHAMPION, None, False, "UPDATE_ROLLBACK_FAILED", "wait", "stack-busy"),
        (None, "000041", False, "UPDATE_IN_PROGRESS", "wait", "release-in-flight"),
        (
            replace(CHAMPION, package_arn=PACKAGE),
            "000042",
            False,
            "UPDATE_COMPLETE",
            "wait",
            "release-in-flight",
        ),
        (replace(CHAMPION, package_arn=PACKAGE), None, False, "UPDATE_IN_PROGRESS", "skip", "already-live"),
        (replace(CHAMPION, package_arn=PACKAGE), "000041", True, "UPDATE_COMPLETE", "skip", "paused"),
    ],
)
def test_the_rules_of_a_release_stand_in_order(
    champion: Champion | None,
    in_flight: str | None,
    paused: bool,
    stack_status: str,
    verdict: str,
    rule: str,
) -> None:
    decision = decide_release(
        package_arn=PACKAGE, champion=champion, in_flight=in_flight, paused=paused, stack_status=stack_status
    )
    assert (decision.verdict, decision.rule) == (verdict, rule)


@pytest.mark.parametrize(
    ("approval", "rule"), [("Rejected", "not-approved-any-more"), ("Approved", "approved")]
)
def test_a_package_that_lost_its_approval_while_it_waited_is_not_released(approval: str, rule: str) -> None:
    decision = decide_release(
        package_arn=PACKAGE,
        champion=CHAMPION,
        in_flight=None,
        paused=False,
        stack_status="UPDATE_COMPLETE",
        approval=approval,
    )
    assert decision.rule == rule


OPENED = datetime(2013, 4, 20, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "is_named", "verdict"),
    [(0, False, "resume"), (23.9, False, "resume"), (24, False, "expire"), (24, True, "resume")],
)
def test_an_open_release_that_nobody_starts_is_asked_for_again_for_a_day(
    hours: float, is_named: bool, verdict: str
) -> None:
    now = OPENED + timedelta(hours=hours)
    decision = decide_unstarted("000042", opened_at=OPENED, now=now, is_named=is_named)
    assert decision.verdict == verdict
    assert "release 000042 was opened" in decision.reasons[0]
