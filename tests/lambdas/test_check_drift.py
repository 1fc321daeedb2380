import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import boto3
import pytest

from domain.labels import LabelDay
from domain.loss import LossDay
from domain.names import DEPLOYMENT_DIMENSION, METRIC_NAMESPACE, METRIC_UNITS, SMOKE_INFERENCE_ID, Metric
from domain.settings import CheckDriftSettings
from domain.snapshot import Manifest, Part
from lambdas import check_drift
from tests.lambdas.local import DEPLOYMENT, NOW, Local
from tests.lambdas.traffic import PACKAGE, answers_to, captured, crown, exchange, requests_of

SETTINGS = CheckDriftSettings(
    deployment=DEPLOYMENT,
    data_bucket="data",
    capture_bucket="capture",
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    kms_key_arn="",
    endpoint_name=DEPLOYMENT,
    false_alarms_per_year=1.0,
    label_delay_days=1,
    window_days=2,
    min_rows=100,
)

Check = Callable[..., dict[str, Any]]


@pytest.fixture
def check(local: Local) -> Check:
    def checked(**changed: Any) -> dict[str, Any]:
        settings = replace(SETTINGS, kms_key_arn=local.key_arn, **changed)
        return local.run(check_drift, settings, {"detail-type": "Scheduled Event"})

    return checked


def part(day: int, rows: int, micro: int, *, model: str = PACKAGE, expected: int = 0) -> Part:
    lost = (LossDay(f"2013-04-{day:02d}", rows, micro, expected),)
    return Part(f"parts/{day}", "v", f"sha{day}-{micro}", rows, "", "", "2013/04/20", {model: lost})


def reference(days: int = 42) -> list[list[Any]]:
    """Days of 1,000 rows before the release, whose mean loss is what was expected, give or take a hundredth."""
    first, draw = date(2013, 2, 1), Random(1)
    return [
        [
            str(first + timedelta(days=n)),
            1000,
            125_000_000 + round(draw.gauss(0, 1) * 10_000_000),
            125_000_000,
        ]
        for n in range(days)
    ]


def snapshot(local: Local, *parts: Part, labels: Mapping[str, tuple[LabelDay, ...]] | None = None) -> None:
    manifest = Manifest(("event_time",), parts, "2013", labels=labels or {})
    local.put(f"s3://data/{manifest.key}", manifest.to_json())
    local.ledger.set_latest_snapshot({"id": manifest.id, "rows": manifest.rows})


def published() -> dict[str, float]:
    """The day's metrics as an alarm sees them: by namespace, name, dimension and unit."""
    cloudwatch = boto3.client("cloudwatch")
    values = {}
    for name, unit in METRIC_UNITS.items():
        points = cloudwatch.get_metric_statistics(
            Namespace=METRIC_NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": DEPLOYMENT_DIMENSION, "Value": DEPLOYMENT}],
            StartTime=NOW - timedelta(minutes=5),
            EndTime=NOW + timedelta(minutes=5),
            Period=600,
            Statistics=["Sum"],
            Unit=unit,
        )["Datapoints"]
        if points:
            values[name] = points[0]["Sum"]
    return values


def test_without_a_live_model_nothing_is_measured(local: Local, check: Check) -> None:
    assert check() == {"day": None, "reason": "no model is live"}
    assert published() == {Metric.INVALID_DATA: 0}  # the heartbeat
    assert local.keys("artefacts") == []


def test_the_loss_of_the_last_days_is_published_against_the_held_out_loss(local: Local, check: Check) -> None:
    crown(local, heldout_loss=0.125)
    snapshot(local, part(1, 100, 90_000_000), part(18, 100, 20_000_000), part(19, 100, 30_000_000))
    check()
    values = published()
    assert values[Metric.LABELLED_LOSS] == 0.25
    assert values[Metric.LOSS_RATIO] == 2.0
    assert values[Metric.LABELLED_ROWS] == 200


def test_below_the_least_number_of_rows_no_ratio_is_published(local: Local, check: Check) -> None:
    crown(local)
    snapshot(local, part(19, 99, 30_000_000))
    check()
    values = published()
    assert values[Metric.LABELLED_ROWS] == 99
    assert Metric.LOSS_RATIO not in values
    check(min_rows=99)
    assert Metric.LOSS_RATIO in published()


def test_rows_that_another_model_answered_do_not_count(local: Local, check: Check) -> None:
    crown(local)
    snapshot(local, part(18, 500, 1, model="arn:package/0"), part(19, 500, 1, model=""))
    check()
    assert published()[Metric.LABELLED_ROWS] == 0


def test_yesterdays_traffic_is_counted_and_no_other_day(local: Local, check: Check) -> None:
    crown(local)
    captured(local, "2013/04/18", [exchange("a", [[7, "JFK"]], [0.5])])
    captured(local, "2013/04/19", ["junk", exchange("b", [[7, "JFK"], [13, "EWR"]], [0.5, 0.5])])
    captured(local, "2013/04/19", [exchange("c", [[8, "JFK"]], [0.5])], file="11/b.jsonl")
    captured(local, "2013/04/20", [exchange("d", [[7, "JFK"]], [0.5])])
    answer = check()
    assert (answer["day"], answer["captured_rows"], answer["skipped_lines"]) == ("2013-04-19", 3, 1)
    assert published()[Metric.CAPTURED_ROWS] == 3
    assert published()[Metric.SKIPPED_LINES] == 1


def test_a_feature_that_changed_stands_first_in_the_report_and_is_the_published_maximum(
    local: Local, check: Check
) -> None:
    crown(local)
    rows = requests_of(99, origins="EWR")
    captured(local, "2013/04/19", [exchange("a", rows, answers_to(rows))])
    origin, hour = check()["effects"]
    assert (origin["feature"], hour["feature"]) == ("origin", "hour")
    assert hour["psi"] < 0.2 < 1 < origin["psi"]
    assert published()[Metric.MAX_PSI] == pytest.approx(origin["psi"], abs=1e-6)


def test_a_day_without_traffic_is_published_as_zero_so_that_its_alarm_sees_it(
    local: Local, check: Check
) -> None:
    crown(local)
    assert check()["captured_rows"] == 0
    zeros = (Metric.INVALID_DATA, Metric.TRAFFIC_EVIDENCE, Metric.CAPTURED_ROWS, Metric.SKIPPED_LINES)
    assert published() == dict.fromkeys((*zeros, Metric.LOSS_EVIDENCE), 0)


def test_the_report_is_kept_under_its_day_and_under_the_key(local: Local, check: Check) -> None:
    crown(local)
    snapshot(local, part(19, 100, 25_000_000))
    answer = check()
    assert json.loads(local.read("artefacts", "monitor/2013-04-19.json")) == answer
    assert answer["loss"]["ratio"] == 2.0
    held = local.s3.head_object(Bucket="artefacts", Key="monitor/2013-04-19.json")
    assert held["SSEKMSKeyId"] == local.key_arn


def test_days_of_more_loss_than_the_reference_shows_bring_the_evidence_to_its_threshold(
    local: Local, check: Check
) -> None:
    crown(local, reference=reference())
    worse = [part(day, 1000, 175_000_000, expected=125_000_000) for day in range(11, 20)]
    snapshot(local, *worse)
    found = check()["evidence"]
    assert published()[Metric.LOSS_EVIDENCE] == pytest.approx(found["level"])
    assert found["level"] >= 1
    assert (found["windows"], found["reference_windows"], found["since"]) == (9, 42, "2013-04-11")


def test_days_of_more_loss_that_the_answers_led_to_expect_are_no_evidence(local: Local, check: Check) -> None:
    crown(local, reference=reference())
    stormy = [part(day, 1000, 175_000_000, expected=175_000_000) for day in range(11, 20)]
    snapshot(local, *stormy)
    assert check()["evidence"]["level"] < 0.5


def test_a_day_whose_labels_have_not_had_their_time_is_not_judged_yet(local: Local, check: Check) -> None:
    crown(local, reference=reference())
    snapshot(local, part(18, 1000, 1), part(19, 1000, 1), part(20, 1000, 1))
    assert check()["evidence"]["windows"] == 2
    assert check(label_delay_days=2)["evidence"]["windows"] == 1


def test_a_label_that_comes_late_is_counted_for_its_day_as_if_it_had_come_with_the_others(
    local: Local, check: Check
) -> None:
    crown(local, reference=reference())
    snapshot(local, part(18, 1000, 150_000_000, expected=125_000_000), part(19, 1000, 1))
    together = check()["evidence"]
    one, rest = part(18, 400, 60_000_000, expected=50_000_000), part(18, 600, 90_000_000, expected=75_000_000)
    snapshot(local, rest, part(19, 1000, 1), one)
    assert check()["evidence"] == together


def test_after_a_release_the_evidence_starts_anew(local: Local, check: Check) -> None:
    worse = [part(day, 1000, 175_000_000, expected=125_000_000) for day in range(11, 20)]
    snapshot(local, *worse)
    crown(local, reference=reference(), since="2013-04-20T11:00:00Z")
    found = check()["evidence"]
    assert (found["level"], found["windows"]) == (0, 0)


def test_a_young_model_says_so_tells_its_distances_and_alarms_nobody(local: Local, check: Check) -> None:
    crown(local, reference=reference(days=27))
    snapshot(local, *[part(day, 1000, 990_000_000) for day in range(11, 20)])
    captured(local, "2013/04/19", [exchange("a", [[7, "EWR"]], [0.5])])
    found = check()
    assert "27 windows" in found["evidence"]["young"]
    assert "28" in found["evidence"]["young"]
    assert found["effects"]
    assert published()[Metric.LOSS_EVIDENCE] == 0


def test_a_model_that_brought_no_reference_says_so_and_its_loss_still_informs(
    local: Local, check: Check
) -> None:
    champion = crown(local, heldout_loss=0.125)
    local.put_json(champion.report_uri, {"heldout_loss": 0.125})  # as Tideline wrote it before there were any
    snapshot(local, part(19, 1000, 990_000_000))
    found = check()
    assert "./tideline retrain" in found["evidence"]["young"]
    assert (found["evidence"]["windows"], found["evidence"]["reference_windows"]) == (1, 0)
    assert published()[Metric.LOSS_EVIDENCE] == 0
    assert published()[Metric.LOSS_RATIO] == pytest.approx(7.92)


def days_of_traffic(local: Local, days: range, **changed: Any) -> None:
    """April days whose rows are as in training, or changed."""
    for day in days:
        rows = requests_of(1000 + day, **changed)
        captured(local, f"2013/04/{day:02d}", [exchange(f"r{day}", rows, answers_to(rows))])


def checked_daily(local: Local, check: Check, days: range) -> dict[str, Any]:
    """The report of the last of these days, each checked on the next one."""
    found: dict[str, Any] = {}
    for day in days:
        local.at(datetime(2013, 4, day + 1, 13, tzinfo=UTC))
        found = check()
    return found


def labels_of(shares: Sequence[float], *, first: int = 1) -> list[list[Any]]:
    return [[f"2013-04-{first + n:02d}", 1000, 0, round(1e9 * share)] for n, share in enumerate(shares)]


def test_traffic_as_in_training_is_sound_and_hardly_any_evidence(local: Local, check: Check) -> None:
    crown(local)
    days_of_traffic(local, range(8, 20))
    found = checked_daily(local, check, range(8, 20))
    assert found["invalid"] == []
    assert [one["windows"] for one in found["traffic"]] == [12, 12]
    assert published()[Metric.TRAFFIC_EVIDENCE] < 0.5


def test_hours_that_moved_alarm_within_days_and_are_named_with_the_first_day(
    local: Local, check: Check
) -> None:
    crown(local)
    days_of_traffic(local, range(8, 13))
    days_of_traffic(local, range(13, 20), later=2)
    features, predictions = checked_daily(local, check, range(8, 20))["traffic"]
    assert min(features["level"], predictions["level"]) >= 1
    assert features["carriers"][0]["feature"] == "hour"
    assert features["carriers"][0]["since"] in ("2013-04-12", "2013-04-13")
    assert published()[Metric.TRAFFIC_EVIDENCE] >= 1
    assert published()[Metric.INVALID_DATA] == 0


def test_the_traffic_of_the_day_of_the_release_and_before_is_no_evidence(local: Local, check: Check) -> None:
    crown(local, since="2013-04-18T10:00:00Z")
    days_of_traffic(local, range(15, 20), later=4)
    found = checked_daily(local, check, range(18, 20))
    assert [one["windows"] for one in found["traffic"]] == [1, 1]


def test_answers_of_another_model_are_no_evidence_on_this_one(local: Local, check: Check) -> None:
    crown(local)
    for day in range(8, 20):
        rows = requests_of(day)
        captured(local, f"2013/04/{day:02d}", [exchange("r", rows, [0.9] * len(rows), model="arn:package/0")])
    features, predictions = checked_daily(local, check, range(8, 20))["traffic"]
    assert predictions["level"] == 0
    assert 0 < features["level"] < 0.5


def test_a_day_on_which_no_check_ran_is_counted_by_the_next_one(local: Local, check: Check) -> None:
    crown(local)
    days_of_traffic(local, range(15, 20))
    found = checked_daily(local, check, range(19, 20))
    assert found["traffic"][0]["windows"] == 4
    assert check()["traffic"] == found["traffic"]


def test_a_profile_of_too_few_days_says_so_and_alarms_nobody(local: Local, check: Check) -> None:
    crown(local, profile_days=27)
    days_of_traffic(local, range(8, 20), later=4)
    found = checked_daily(local, check, range(8, 20))
    assert ["27 windows" in one["young"] for one in found["traffic"]] == [True, True]
    assert published()[Metric.TRAFFIC_EVIDENCE] == 0


def test_a_model_of_an_earlier_version_is_counted_and_its_traffic_alarms_nobody(
    local: Local, check: Check
) -> None:
    champion = crown(local)
    local.put_json(champion.profile_uri, {"format": 1, "rows": 1, "features": []})
    days_of_traffic(local, range(19, 20), later=400)
    found = check()
    assert (found["captured_rows"], found["invalid"], found["effects"]) == (100, [], [])
    assert "./tideline retrain" in found["traffic"][0]["young"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"later": 1000}, "hour: 100.0% far out of range"),
        ({"origins": "???"}, "origin: 100.0% unseen"),
        ({"origins": "   "}, "origin: 100.0% missing"),
    ],
)
def test_broken_rows_are_told_on_the_first_day(
    local: Local, check: Check, change: dict[str, Any], said: str
) -> None:
    crown(local)
    days_of_traffic(local, range(19, 20), **change)
    assert check()["invalid"][0].startswith(said)
    assert published()[Metric.INVALID_DATA] == 1


def test_the_rows_by_which_a_release_is_proved_are_no_traffic(local: Local, check: Check) -> None:
    crown(local)
    captured(local, "2013/04/19", [exchange(SMOKE_INFERENCE_ID, [[None, ""], [0, "smoke"]], [0.5, 0.5])])
    found = check()
    assert (found["captured_rows"], found["invalid"]) == (0, [])


def test_lines_that_cannot_be_read_are_told_if_they_are_many(local: Local, check: Check) -> None:
    crown(local)
    lines = [exchange(f"r{n}", [[7, "JFK"]], [0.5]) for n in range(100)]
    captured(local, "2013/04/19", [*lines, "junk"])
    assert check()["invalid"] == []
    captured(local, "2013/04/19", ["junk"] * 9, file="11/b.jsonl")
    assert check()["invalid"] == ["captured lines: 9.1% unreadable, at most 0.0% before"]


def test_days_of_broken_rows_are_no_evidence_against_the_model(local: Local, check: Check) -> None:
    crown(local, reference=reference())
    snapshot(local, *[part(day, 1000, 500_000_000, expected=125_000_000) for day in range(11, 20)])
    days_of_traffic(local, range(11, 20), later=1000)
    found = checked_daily(local, check, range(11, 20))
    assert (found["evidence"]["windows"], found["evidence"]["level"]) == (0, 0)
    assert found["traffic"][0]["windows"] == 0
    assert found["loss"]["labelled_rows"] == 2000  # what is measured is told all the same


def test_a_category_that_training_never_saw_is_told_and_the_model_is_judged_on_its_days(
    local: Local, check: Check
) -> None:
    crown(local, reference=reference())
    snapshot(local, *[part(day, 1000, 500_000_000, expected=125_000_000) for day in range(11, 20)])
    days_of_traffic(local, range(11, 20), origins="PHL")
    found = checked_daily(local, check, range(11, 20))
    assert published()[Metric.INVALID_DATA] == 1
    assert found["evidence"]["level"] >= 1


def test_labels_that_cannot_be_are_told_and_are_no_evidence_against_the_model(
    local: Local, check: Check
) -> None:
    crown(local, reference=reference(), labels=labels_of([0.1, 0.4, 0.2]))
    parts = [part(day, 1000, 500_000_000, expected=125_000_000) for day in range(11, 20)]
    told = tuple(LabelDay(*day) for day in labels_of([1.0] * 9, first=11))
    snapshot(local, *parts, labels={PACKAGE: told})
    found = check()
    assert found["invalid"] == ["labels of 2013-04-19: 100.0% are 1, on the days of training 10.0% to 40.0%"]
    assert (found["evidence"]["windows"], found["evidence"]["level"]) == (0, 0)


def test_once_the_newest_labels_are_sound_nothing_is_broken_any_more(local: Local, check: Check) -> None:
    crown(local, reference=reference(), labels=labels_of([0.1, 0.4, 0.2]))
    told = tuple(LabelDay(*day) for day in labels_of([1.0] * 8 + [0.3], first=11))
    snapshot(local, part(19, 1000, 1), labels={PACKAGE: told})
    assert check()["invalid"] == []
