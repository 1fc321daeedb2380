"""One turn of the loop, small: as deployed it passes; with one piece of a template missing it fails and says where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.conftest import Rehearse

pytestmark = pytest.mark.slow


def one(template: dict[str, Any], resource_type: str, name: str) -> dict[str, Any]:
    """The properties of the only resource of this type whose logical id holds the name."""
    [properties] = [
        resource["Properties"]
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == resource_type and name in logical_id
    ]
    return properties


def test_a_turn_of_the_loop_ends_with_a_second_model_live(rehearse: Rehearse) -> None:
    result = rehearse(None, "")
    assert result.failed == {}
    assert result.exit_code == 0
    assert [version["outcome"] for version in result.summary["versions"]] == ["live", "live"]
    assert [d["verdict"] for d in result.summary["decisions"] if d["kind"] == "retrain"] == ["start"]
    chosen = [d for d in result.summary["decisions"] if d["kind"] == "instance"]
    assert [d["rule"] for d in chosen] == ["cheapest-that-fits"] * 2 + ["cheapest-as-learned"] * 2
    assert ["learned from 1 finished" in d["reasons"][1] for d in chosen[2:]] == [True, True]


def test_without_its_dimension_the_alarm_is_blind_and_the_rehearsal_says_which_metric_it_missed(
    rehearse: Rehearse,
) -> None:
    def change(template: dict[str, Any]) -> None:
        del one(template, "AWS::CloudWatch::Alarm", "Loss")["Dimensions"]

    result = rehearse(change, "Monitoring")
    assert result.exit_code == 1
    assert (
        "small-dev-loss saw no datapoint of Tideline/LossEvidence {}" in result.failed["small-dev-loss fires"]
    )
    assert "'Deployment': 'small-dev'" in result.failed["small-dev-loss fires"]


def test_without_the_state_in_its_pattern_the_rule_takes_every_change_and_the_rehearsal_names_the_field(
    rehearse: Rehearse,
) -> None:
    def change(template: dict[str, Any]) -> None:
        del one(template, "AWS::Events::Rule", "OnDrift")["EventPattern"]["detail"]

    result = rehearse(change, "Retraining")
    assert result.exit_code == 1
    assert "'detail.state.value'" in result.failed["no rule takes a neighbour's event"]


def test_without_the_permission_to_invoke_the_delivery_is_refused_and_the_rehearsal_names_the_rule(
    rehearse: Rehearse,
) -> None:
    def change(template: dict[str, Any]) -> None:
        [permission] = [
            logical_id
            for logical_id, resource in template["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Permission"
            and "OnApproval" in str(resource["Properties"]["SourceArn"])
        ]
        del template["Resources"][permission]

    result = rehearse(change, "Retraining")
    assert result.exit_code == 1
    assert "OnApproval" in result.failed["every delivery arrives"]
    assert not result.summary["versions"]


def test_a_stack_that_does_not_come_up_is_a_finding_with_its_reason(rehearse: Rehearse) -> None:
    def change(template: dict[str, Any]) -> None:
        del one(template, "AWS::DynamoDB::Table", "Ledger")["KeySchema"]

    result = rehearse(change, "Storage")
    assert result.exit_code == 1
    assert "KeySchema" in result.failed["the scenario is played to its end"]
    assert "small-dev-storage is deployed" in result.failed


def test_without_an_environment_variable_the_function_fails_and_the_rehearsal_names_both(
    rehearse: Rehearse,
) -> None:
    def change(template: dict[str, Any]) -> None:
        del one(template, "AWS::Lambda::Function", "RetrainFunction")["Environment"]["Variables"][
            "COOLDOWN_DAYS"
        ]

    result = rehearse(change, "Retraining")
    assert result.exit_code == 1
    where = " ".join(result.failed.values())
    assert "small-dev-retrain" in where
    assert "COOLDOWN_DAYS" in where


def without_action(template: dict[str, Any], role: str, action: str) -> None:
    """Take an action out of every statement of a role's policy."""
    document = one(template, "AWS::IAM::Policy", role)["PolicyDocument"]
    for statement in document["Statement"]:
        named = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [name for name in named if name != action]
    document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]


def without_service(template: dict[str, Any], service: str) -> None:
    """Take a service out of the key's policy."""
    principals = [
        s["Principal"] for s in one(template, "AWS::KMS::Key", "Key961B73FD")["KeyPolicy"]["Statement"]
    ]
    [shared] = [found for found in principals if service in found.get("Service", [])]
    shared["Service"] = [name for name in shared["Service"] if name != service]


@pytest.mark.parametrize(
    ("part", "change", "who", "action"),
    [
        (
            "Training",
            lambda template: without_action(template, "BuildSnapshotRole", "s3:GetObject"),
            "BuildSnapshotRole",
            "s3:GetObject",
        ),
        (
            "Training",
            lambda template: without_action(template, "PipelineRole", "iam:PassRole"),
            "PipelineRole",
            "iam:PassRole",
        ),
        (
            "Training",
            lambda template: without_action(template, "JobRole", "kms:Decrypt"),
            "JobRole",
            "kms:Decrypt",
        ),
        (
            "Storage",
            lambda template: without_service(template, "cloudwatch.amazonaws.com"),
            "cloudwatch.amazonaws.com",
            "kms:GenerateDataKey",
        ),
    ],
)
def test_without_a_permission_the_call_is_denied_and_the_rehearsal_names_who_and_what(
    rehearse: Rehearse, part: str, change: Callable[[dict[str, Any]], None], who: str, action: str
) -> None:
    result = rehearse(change, part)
    assert result.exit_code == 1
    where = result.failed["no call was denied"]
    assert who in where
    assert f"not authorized to perform: {action} on resource" in where
