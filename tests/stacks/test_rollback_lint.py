"""Every rule of the lint finds its own mistake, and nothing is wrong with what we deploy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from stacks.rollback_lint import findings
from stacks.template_values import Templates
from tests.stacks.synthesis import Deployment

Json = dict[str, Any]
Change = Callable[[dict[str, Json]], None]


def resource(templates: dict[str, Json], logical_id: str) -> Json:
    found: Json = templates["serving"]["Resources"][logical_id]["Properties"]
    return found


def latency(**changes: Any) -> Change:
    return lambda templates: resource(templates, "RollbackLatency").update(changes)


def dimension(alarm: str, name: str, value: str | None) -> Change:
    """Set a dimension of an alarm, or leave it out."""

    def change(templates: dict[str, Json]) -> None:
        properties = resource(templates, alarm)
        kept = [d for d in properties["Dimensions"] if d["Name"] != name]
        properties["Dimensions"] = kept + ([{"Name": name, "Value": value}] if value else [])

    return change


def query(name: str, **changes: Any) -> Change:
    def change(templates: dict[str, Json]) -> None:
        [found] = [q for q in resource(templates, "RollbackShift")["Metrics"] if q["Id"] == name]
        found["MetricStat"].update(changes)

    return change


def bake(seconds: int) -> Change:
    def change(templates: dict[str, Json]) -> None:
        policy = resource(templates, "Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
        policy["TrafficRoutingConfiguration"]["WaitIntervalInSeconds"] = seconds

    return change


def no_alarms(templates: dict[str, Json]) -> None:
    del resource(templates, "Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]


def alarm_by_name(templates: dict[str, Json]) -> None:
    config = resource(templates, "Endpoint")["DeploymentConfig"]["AutoRollbackConfiguration"]
    config["Alarms"][0] = {"AlarmName": "made-by-hand"}


def another_condition(templates: dict[str, Json]) -> None:
    templates["serving"]["Resources"]["RollbackLatency"]["Condition"] = "HasType2"


def silent_server(templates: dict[str, Json]) -> None:
    del resource(templates, "Model")["PrimaryContainer"]["Environment"]["TIDELINE_ENDPOINT"]


def drop_rule(templates: dict[str, Json]) -> None:
    resources = templates["retraining"]["Resources"]
    [rule] = [
        name
        for name in resources
        if "OnRollbackAlarm" in name and "Permission" not in str(resources[name]["Type"])
    ]
    del resources[rule]


def drop_grant(templates: dict[str, Json]) -> None:
    for policy in templates["storage"]["Resources"].values():
        if policy["Type"] == "AWS::IAM::Policy":
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                if "cloudwatch:DescribeAlarms" in statement["Action"]:
                    statement["Action"] = "cloudwatch:PutMetricAlarm"


def all_traffic(templates: dict[str, Json]) -> None:
    """The old version's alarm would then fire at each new one that predicts otherwise."""
    for found in resource(templates, "RollbackShift")["Metrics"]:
        if found["Id"].startswith("old_"):
            metric = found["MetricStat"]["Metric"]
            metric["Dimensions"] = [d for d in metric["Dimensions"] if d["Name"] == "Endpoint"]


def only_the_old(templates: dict[str, Json]) -> None:
    for found in resource(templates, "RollbackShift")["Metrics"]:
        if "MetricStat" in found:
            [release] = [d for d in found["MetricStat"]["Metric"]["Dimensions"] if d["Name"] == "Release"]
            release["Value"] = {"Ref": "ReleaseBefore"}


MISTAKES: list[tuple[Change, str]] = [
    (no_alarms, "has no rollback alarm"),
    (alarm_by_name, "only a Ref to an alarm of this template"),
    (another_condition, "under the same condition is sure to exist"),
    (latency(Namespace="AWS/Sagemaker"), "watches AWS/Sagemaker/ModelLatency, which nobody publishes"),
    (latency(MetricName="ModelLatencyMs"), "which nobody publishes"),
    (dimension("RollbackErrors", "VariantName", None), "published are [['EndpointConfigName'"),
    (dimension("RollbackErrors", "EndpointConfigName", None), "watches both fleets"),
    (dimension("RollbackErrors", "VariantName", "AllTraffic"), "watches VariantName 'AllTraffic'"),
    (dimension("RollbackErrors", "EndpointConfigName", "old"), "watches EndpointConfigName 'old'"),
    (latency(Unit="Milliseconds"), "asks for ModelLatency in Milliseconds; it is published in Microseconds"),
    (latency(Threshold=250), "ModelLatency is in microseconds"),
    (latency(Period=600), "looks at 3000 s; allowed is half a bake of 600 s"),
    (bake(300), "allowed is half a bake of 300 s"),
    (query("new_sum", Period=600), "looks at 600 s"),
    (latency(TreatMissingData="breaching"), "treats missing data as breaching"),
    (latency(TreatMissingData="missing"), "treats missing data as missing"),
    (drop_rule, "tells nobody"),
    (drop_grant, "lacks cloudwatch:DescribeAlarms"),
    (all_traffic, "watches PredictionSum by ['Endpoint']; published are [['Endpoint', 'Release']]"),
    (only_the_old, "watches both fleets"),
    (silent_server, "watches Endpoint 'tideline-prod'; the new fleet's is None"),
]


@pytest.fixture
def templates(prod: Deployment) -> dict[str, Json]:
    return copy.deepcopy(prod.templates)


def test_every_rollback_alarm_that_is_deployed_can_fire(deployment: Deployment) -> None:
    assert list(findings(Templates(deployment.templates))) == []


@pytest.mark.parametrize(("change", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_found_and_said(templates: dict[str, Json], change: Change, said: str) -> None:
    change(templates)
    assert any(said in sentence for _, sentence in findings(Templates(templates)))


def test_an_error_share_is_not_a_percentage(templates: dict[str, Json]) -> None:
    resource(templates, "RollbackErrors")["Threshold"] = 1
    assert [said for _, said in findings(Templates(templates))] == [
        "fires above 1: the average of 5xx is a share from 0 to 1"
    ]
