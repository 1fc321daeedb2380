"""The mutants of a template: which there are, that each changes one thing, and that reviewers may bring their own."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from rehearsal.sweep.mutants import Mutant, mutants, own

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Release": {"Type": "String"}},
    "Conditions": {"HasRelease": {"Fn::Equals": [{"Ref": "Release"}, "none"]}},
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}},
                    ]
                },
            },
        },
        "Policy": {
            "Type": "AWS::IAM::Policy",
            "Condition": "HasRelease",
            "Properties": {
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Action": ["s3:GetObject", "kms:Decrypt"],
                            "Resource": ["one", "two"],
                            "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
                        }
                    ]
                },
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "DependsOn": ["Policy", "Permission"],
            "Properties": {"Environment": {"Variables": {"TABLE": "ledger"}}},
        },
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": {"SourceArn": "rule"}},
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"detail": {"state": ["ALARM"]}},
                "Targets": [{"Id": "Target0", "Arn": "arn", "RoleArn": "role"}],
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {"ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4},
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "Tideline",
                "MetricName": "LossRatio",
                "Dimensions": [{"Name": "Deployment", "Value": "dev"}],
                "AlarmActions": ["topic"],
            },
        },
    },
}


@pytest.fixture
def found() -> list[Mutant]:
    return mutants("stack", TEMPLATE)


def test_every_kind_of_thing_is_dropped_or_spoiled(found: list[Mutant]) -> None:
    assert {mutant.kind for mutant in found} == {
        *(
            "parameter",
            "condition",
            "statement",
            "action",
            "resource",
            "policy condition",
            "KMS grant",
            "trust",
        ),
        *("environment", "permission", "pattern", "target", "alarm metric", "alarm dimension"),
        *("scaling", "setting", "wildcard"),
    }


def test_each_mutant_has_a_name_of_its_own_changes_something_and_leaves_the_template_alone(
    found: list[Mutant],
) -> None:
    before = copy.deepcopy(TEMPLATE)
    assert len({mutant.name for mutant in found}) == len(found)
    for mutant in found:
        assert mutant.applied(TEMPLATE) != TEMPLATE
    assert before == TEMPLATE


def test_a_resource_that_is_dropped_is_nobody_s_dependency_any_more(found: list[Mutant]) -> None:
    [dropped] = [one for one in found if one.path == ("Resources", "Permission")]
    changed = dropped.applied(TEMPLATE)["Resources"]
    assert "Permission" not in changed
    assert changed["Function"]["DependsOn"] == ["Policy"]


def test_a_reviewer_s_path_may_have_dots_and_a_value_may_be_new() -> None:
    given = [
        {"template": "stack", "path": "Resources.Alarm.Properties.Dimensions.0.Value", "operation": "drop"},
        {
            "template": "stack",
            "path": ["Resources", "Alarm", "Properties", "Threshold"],
            "operation": "set",
            "value": 2,
        },
    ]
    first, second = (
        mutant.applied(TEMPLATE)["Resources"]["Alarm"]["Properties"]
        for mutant in own(given, {"stack": TEMPLATE})
    )
    assert first["Dimensions"] == [{"Name": "Deployment"}]
    assert second["Threshold"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"template": "other", "path": "Resources", "operation": "drop"},
            "template: got 'other', allowed: stack",
        ),
        (
            {"template": "stack", "path": "Resources", "operation": "spoil"},
            "operation: got 'spoil', allowed: drop, set",
        ),
        (
            {"template": "stack", "path": "Resources.Alarms", "operation": "drop"},
            "no 'Alarms' in 'Resources.Alarms'; there is: Role",
        ),
    ],
)
def test_a_mutant_that_is_of_no_use_is_refused_in_one_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"^(path|template|operation): ") as refused:
        own([json.loads(json.dumps(given))], {"stack": TEMPLATE})
    assert said in str(refused.value)


def test_values_are_spoiled_so_that_they_stay_well_formed() -> None:
    template = {
        "Resources": {
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Threshold": 1, "Statistic": "Sum", "TreatMissingData": "ignore"},
            },
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "ScheduleExpression": "cron(50 22 * * ? *)",
                    "EventPattern": {"detail": {"state": ["Approved", "Rejected"], "group": ["one"]}},
                },
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Timeout": 60,
                    "Environment": {"Variables": {"DAYS": "1.5", "NAME": "ours", "ARN": {"Ref": "Rule"}}},
                },
            },
            "Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {}},
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyDocument": {
                        "Statement": [
                            {"Action": "a:B", "Resource": "one"},
                            {"Action": "a:C", "Resource": "*"},
                        ]
                    }
                },
            },
        }
    }
    of_values = ("alarm rule", "schedule", "state", "setting", "protection", "wildcard")
    found = [(one.kind, one.path[-1], one.value) for one in mutants("s", template) if one.kind in of_values]
    assert found == [
        ("alarm rule", "Threshold", "10"),
        ("alarm rule", "Statistic", '"Average"'),
        ("alarm rule", "TreatMissingData", '"notBreaching"'),
        ("schedule", "ScheduleExpression", '"cron(50 3 * * ? *)"'),
        ("state", 0, ""),
        ("state", 1, ""),
        ("protection", "Timeout", ""),
        ("setting", "DAYS", '"15"'),
        ("setting", "NAME", '"oursb"'),
        ("protection", "DeletionPolicy", ""),
        ("wildcard", "Resource", '"*"'),
    ]
