import copy
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import (
    AlarmFired,
    PackageJudged,
    PipelineEnded,
    StackSettled,
    WrongEventError,
    iso,
    parse_alarm,
    parse_approval,
    parse_pipeline_ended,
    parse_stack_settled,
    utc,
)

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"
ALARM = {
    "source": "aws.cloudwatch",
    "detail-type": "CloudWatch Alarm State Change",
    "detail": {
        "alarmName": "tideline-dev-loss",
        "state": {"value": "ALARM", "reason": "1.5 > 1.2", "timestamp": "2013-04-20T13:00:00.000+0000"},
    },
}
APPROVAL = {
    "source": "aws.sagemaker",
    "time": "2013-04-20T13:00:00Z",
    "detail-type": "SageMaker Model Package State Change",
    "detail": {
        "ModelPackageGroupName": "tideline-dev",
        "ModelApprovalStatus": "Approved",
        "ModelPackageArn": f"{PREFIX}:model-package/tideline-dev/1",
    },
}
SETTLED = {
    "source": "aws.cloudformation",
    "detail-type": "CloudFormation Stack Status Change",
    "detail": {
        "stack-id": "arn:aws:cloudformation:us-east-1:123456789012:stack/tideline-dev-serving/1-2-3",
        "status-details": {"status": "UPDATE_COMPLETE", "status-reason": None},
    },
}
ENDED = {
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
    "detail": {
        "pipelineArn": f"{PREFIX}:pipeline/tideline-dev-train",
        "pipelineExecutionArn": f"{PREFIX}:pipeline/tideline-dev-train/execution/abc",
        "currentPipelineExecutionStatus": "Succeeded",
    },
}
Event = dict[str, Any]
PARSERS: list[tuple[Event, Callable[[Event], object]]] = [
    (ALARM, lambda event: parse_alarm(event, alarm_name="tideline-dev-loss")),
    (APPROVAL, lambda event: parse_approval(event, group="tideline-dev")),
    (SETTLED, lambda event: parse_stack_settled(event, stack="tideline-dev-serving")),
    (ENDED, lambda event: parse_pipeline_ended(event, pipeline="tideline-dev-train")),
]


def parse(event: Event) -> list[object]:
    return [parser(copy.deepcopy(event)) for known, parser in PARSERS if known is event]


def test_each_event_of_ours_is_read() -> None:
    assert parse(ALARM) == [
        AlarmFired("tideline-dev-loss", "1.5 > 1.2", datetime(2013, 4, 20, 13, tzinfo=UTC))
    ]
    assert parse(APPROVAL) == [
        PackageJudged(f"{PREFIX}:model-package/tideline-dev/1", True, datetime(2013, 4, 20, 13, tzinfo=UTC))
    ]
    assert parse(SETTLED) == [StackSettled("UPDATE_COMPLETE", "")]
    assert parse(ENDED) == [PipelineEnded(f"{PREFIX}:pipeline/tideline-dev-train/execution/abc", "Succeeded")]


@pytest.mark.parametrize(
    ("event", "path", "got", "says"),
    [
        (ALARM, ("source",), "aws.ec2", "got an event ('aws.ec2'"),
        (ALARM, ("detail-type",), "Alarm", "allowed: ('aws.cloudwatch', 'CloudWatch Alarm State Change')"),
        (ALARM, ("detail", "alarmName"), "other", "got the alarm 'other'; allowed: 'tideline-dev-loss'"),
        (ALARM, ("detail", "state", "value"), "OK", "got the state 'OK'; allowed: 'ALARM'"),
        (
            ALARM,
            ("detail", "state", "timestamp"),
            "noon",
            "got 'noon' as detail.state.timestamp; allowed: ISO 8601",
        ),
        (APPROVAL, ("source",), "aws.s3", "got an event ('aws.s3'"),
        (APPROVAL, ("detail", "ModelPackageGroupName"), "x", "group 'x'; allowed: 'tideline-dev'"),
        (
            APPROVAL,
            ("detail", "ModelApprovalStatus"),
            "Pending",
            "'Pending'; allowed: 'Approved', 'Rejected'",
        ),
        (SETTLED, ("detail-type",), "x", "CloudFormation Stack Status Change"),
        (SETTLED, ("detail", "stack-id"), "arn:stack/x/1", "the stack 'x'; allowed: 'tideline-dev-serving'"),
        (SETTLED, ("detail", "stack-id"), "x", "got the stack ''; allowed: 'tideline-dev-serving'"),
        (ENDED, ("source",), "x", "got an event ('x'"),
        (ENDED, ("detail", "pipelineArn"), "arn:pipeline/x", "'x'; allowed: 'tideline-dev-train'"),
    ],
)
def test_a_wrong_field_is_an_error_that_says_what_was_got_and_what_is_allowed(
    event: Event, path: tuple[str, ...], got: str, says: str
) -> None:
    wrong = copy.deepcopy(event)
    _put(wrong, path, got)
    parser = next(parser for known, parser in PARSERS if known is event)
    with pytest.raises(WrongEventError) as error:
        parser(wrong)
    assert says in str(error.value)


def _put(event: Event, path: tuple[str, ...], value: object) -> None:
    for step in path[:-1]:
        event = event[step]
    event[path[-1]] = value


def _paths(event: Event, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in event.items():
        found.append((*before, key))
        if isinstance(value, dict):
            found += _paths(value, (*before, key))
    return found


OPTIONAL = {("detail", "state", "reason"), ("detail", "status-details", "status-reason")}
FIELDS = [
    pytest.param(event, parser, path, id=f"{event['detail-type']}: {'.'.join(path)}")
    for event, parser in PARSERS
    for path in _paths(event)
    if path not in OPTIONAL
]


@pytest.mark.parametrize("junk", [None, 1, [], {}])
@pytest.mark.parametrize(("event", "parser", "path"), FIELDS)
def test_a_field_that_is_missing_or_no_text_is_a_wrong_event_not_a_crash(
    event: Event, parser: Callable[[Event], object], path: tuple[str, ...], junk: object
) -> None:
    wrong = copy.deepcopy(event)
    _put(wrong, path, junk)
    with pytest.raises(WrongEventError):
        parser(wrong)


INSTANTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(INSTANTS, OFFSETS)
def test_a_time_is_the_same_instant_in_utc_whatever_its_offset(naive: datetime, offset: timezone) -> None:
    instant = naive.replace(tzinfo=offset)
    assert utc(instant.isoformat()) == instant
    assert utc(instant.isoformat()).tzinfo is UTC


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_a_time_without_an_offset_is_utc_on_every_machine() -> None:
    assert utc("2013-04-20T13:00:00") == datetime(2013, 4, 20, 13, tzinfo=UTC)
    assert iso(utc("2013-04-20T13:00:00-04:00")) == "2013-04-20T17:00:00Z"


@given(INSTANTS, INSTANTS)
def test_stored_times_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one.replace(tzinfo=UTC), other.replace(tzinfo=UTC)))
    assert iso(earlier) <= iso(later)


def test_both_forms_that_aws_writes_are_read() -> None:
    assert utc("2013-04-20T13:00:00.000+0000") == utc("2013-04-20T13:00:00Z")


@pytest.mark.parametrize(
    ("changed", "is_judged"),
    [
        (None, True),
        (["ModelApprovalStatus", "ApprovalDescription"], True),
        (["CustomerMetadataProperties"], False),
        (["ModelLifeCycle"], False),
    ],
)
def test_a_change_of_anything_else_of_an_approved_package_is_no_approval(
    changed: list[str] | None, is_judged: bool
) -> None:
    event = copy.deepcopy(APPROVAL)
    if changed:
        event["detail"]["UpdatedModelPackageFields"] = changed  # type: ignore[index]
    assert parse_approval(event, group="tideline-dev").is_judged is is_judged
