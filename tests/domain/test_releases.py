from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import RELEASE_SLOTS
from domain.releases import (
    Champion,
    Observed,
    ReleaseRecord,
    decide_release,
    judge_release,
    next_release_id,
    no_release,
)

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tideline-dev/7"
RECORD = ReleaseRecord("000042", "s3://artefacts/m.tar.gz", "repo@sha256:1", PACKAGE, ("ml.c5.large",))
RUNS_IT = Observed("InService", RECORD.model_data, RECORD.image)
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
    ("observed", "verdict", "rule"),
    [
        (RUNS_IT, "live", "endpoint-runs-it"),
        (replace(RUNS_IT, model_data="s3://other"), "failed", "endpoint-runs-another"),
        (replace(RUNS_IT, image="repo@sha256:2"), "failed", "endpoint-runs-another"),
        (replace(RUNS_IT, endpoint_status="Creating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="Updating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="SystemUpdating"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="RollingBack"), "wait", "endpoint-busy"),
        (replace(RUNS_IT, endpoint_status="Failed"), "failed", "endpoint-runs-another"),
        (replace(RUNS_IT, endpoint_status="OutOfService"), "failed", "endpoint-runs-another"),
        (replace(RUNS_IT, endpoint_status="Deleting"), "failed", "endpoint-runs-another"),
        (replace(RUNS_IT, endpoint_status="UpdateRollbackFailed"), "failed", "endpoint-runs-another"),
        (Observed("Absent", None, None), "failed", "endpoint-runs-another"),
    ],
)
@pytest.mark.parametrize("stack_status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_release_is_judged_by_what_the_endpoint_runs_never_by_the_stack(
    observed: Observed, verdict: str, rule: str, stack_status: str
) -> None:
    decision = judge_release(RECORD, observed, stack_status=stack_status)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert decision.inputs["stack_status"] == stack_status
    assert all(decision.reasons)


def test_a_failure_says_what_runs_instead_and_why() -> None:
    observed = Observed("Failed", "s3://old", "repo@sha256:0", "no capacity")
    decision = judge_release(RECORD, observed, stack_status="UPDATE_ROLLBACK_COMPLETE")
    assert decision.reasons == (
        "the endpoint is Failed and runs s3://old, not s3://artefacts/m.tar.gz",
        "no capacity",
    )


@pytest.mark.parametrize(
    ("champion", "in_flight", "paused", "verdict", "rule"),
    [
        (None, None, False, "release", "approved"),
        (CHAMPION, None, False, "release", "approved"),
        (None, "000041", False, "wait", "release-in-flight"),
        (replace(CHAMPION, package_arn=PACKAGE), "000041", False, "skip", "already-live"),
        (replace(CHAMPION, package_arn=PACKAGE), "000041", True, "skip", "paused"),
    ],
)
def test_the_rules_of_a_release_stand_in_order(
    champion: Champion | None, in_flight: str | None, paused: bool, verdict: str, rule: str
) -> None:
    decision = decide_release(package_arn=PACKAGE, champion=champion, in_flight=in_flight, paused=paused)
    assert (decision.verdict, decision.rule) == (verdict, rule)
