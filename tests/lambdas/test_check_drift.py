import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from domain.names import DEPLOYMENT_DIMENSION, METRIC_NAMESPACE, METRIC_UNITS, Metric
from domain.settings import CheckDriftSettings
from domain.snapshot import Manifest, Part
from lambdas import check_drift
from tests.lambdas.local import DEPLOYMENT, NOW, Local
from tests.lambdas.traffic import PACKAGE, captured, crown, exchange

SETTINGS = CheckDriftSettings(
    deployment=DEPLOYMENT,
    data_bucket="data",
    capture_bucket="capture",
    artefacts_bucket="artefacts",
    ledger_table="ledger",
    kms_key_arn="",
    endpoint_name=DEPLOYMENT,
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


def part(day: int, rows: int, micro: int, *, model: str = PACKAGE) -> Part:
    return Part(f"parts/{day}", "v", f"sha{day}", rows, "", "", f"2013/04/{day:02d}", {model: (rows, micro)})


def snapshot(local: Local, *parts: Part) -> None:
    manifest = Manifest(("event_time",), parts, "2013")
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
    assert boto3.client("cloudwatch").list_metrics(Namespace=METRIC_NAMESPACE)["Metrics"] == []
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
    rows = [[hour, "EWR"] for hour in (7, 13) for _ in range(10)]
    captured(local, "2013/04/19", [exchange("a", rows, [0.5] * len(rows))])
    answer = check()
    assert list(answer["psi"]) == ["origin", "hour"]
    assert answer["psi"]["hour"] < 0.1 < 1 < answer["psi"]["origin"]
    assert published()[Metric.MAX_PSI] == pytest.approx(answer["psi"]["origin"], abs=1e-6)


def test_a_day_without_traffic_is_published_as_zero_so_that_its_alarm_sees_it(
    local: Local, check: Check
) -> None:
    crown(local)
    assert check()["captured_rows"] == 0
    assert published() == {Metric.CAPTURED_ROWS: 0, Metric.SKIPPED_LINES: 0}


def test_the_report_is_kept_under_its_day_and_under_the_key(local: Local, check: Check) -> None:
    crown(local)
    snapshot(local, part(19, 100, 25_000_000))
    answer = check()
    assert json.loads(local.read("artefacts", "monitor/2013-04-19.json")) == answer
    assert answer["loss"]["ratio"] == 2.0
    held = local.s3.head_object(Bucket="artefacts", Key="monitor/2013-04-19.json")
    assert held["SSEKMSKeyId"] == local.key_arn
