from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.__main__ import main
from cli.source import Aws


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A deployment's ledger; CloudFormation's part of finding it is not what is tested here."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(Aws, "ledger_table", lambda _: "ledger")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        keys = ("pk", "HASH"), ("sk", "RANGE")
        dynamodb.create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        yield dynamodb


def test_pause_and_resume_are_what_the_handlers_read(ledger: Any, monkeypatch: Any, capsys: Any) -> None:
    from lambdas.ledger import Ledger

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("lambdas.aws.client", lambda service: ledger)
    assert main(["pause", "--by", "anna"]) == 0
    assert Ledger("ledger").paused()
    assert main(["pause", "--resume"]) == 0
    assert not Ledger("ledger").paused()
    assert "resumed" in capsys.readouterr().out


def test_status_of_a_deployment_reads_its_ledger(ledger: Any, capsys: Any) -> None:
    assert main(["status"]) == 0
    assert "nothing yet" in capsys.readouterr().out


def test_approve_approves_the_version_and_refuses_an_unknown_one(ledger: Any, capsys: Any) -> None:
    sagemaker = boto3.client("sagemaker", region_name="us-east-1")
    sagemaker.create_model_package_group(
        ModelPackageGroupName="tideline-dev", ModelPackageGroupDescription="x"
    )
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="tideline-dev", ModelApprovalStatus="PendingManualApproval"
    )["ModelPackageArn"]
    assert main(["approve", "7"]) == 2
    assert "has no version 7; it has: [1]" in capsys.readouterr().err
    assert main(["approve", "1"]) == 0
    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] == "Approved"
    assert capsys.readouterr().out == f"approved {arn}; release_model takes it from here\n"


class FakeRegistry:
    """Version 7 on the second page, as the registry shows it, and what becomes of it."""

    def __init__(self, status: str) -> None:
        self.statuses = [status]

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        version = {
            "ModelPackageVersion": 7,
            "ModelPackageArn": "arn:p/7",
            "ModelApprovalStatus": self.statuses[-1],
        }
        return [{"ModelPackageSummaryList": []}, {"ModelPackageSummaryList": [version]}]

    def update_model_package(self, *, ModelPackageArn: str, ModelApprovalStatus: str) -> None:
        self.statuses.append(ModelApprovalStatus)


@pytest.mark.parametrize(
    ("status", "after"),
    [
        ("PendingManualApproval", ["Approved"]),
        ("Rejected", ["Approved"]),
        ("Approved", ["PendingManualApproval", "Approved"]),
    ],
)
def test_what_is_approved_already_is_put_back_first_so_that_aws_tells_of_the_approval(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, status: str, after: list[str]
) -> None:
    registry = FakeRegistry(status)
    monkeypatch.setattr(Aws, "client", lambda _self, _service: registry)
    assert main(["approve", "7"]) == 0
    assert registry.statuses[1:] == after
    said = "which was Approved already: put back to pending first"
    assert (said in capsys.readouterr().out) is (status == "Approved")


class FakeLambda:
    def __init__(self, verdict: str) -> None:
        self.verdict, self.events = verdict, []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.events.append((FunctionName, json.loads(Payload)))
        answer = {"decision": {"verdict": self.verdict, "reasons": ["because"]}, "plan": None}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.mark.parametrize(("verdict", "code"), [("start", 0), ("skip", 3)])
def test_retrain_goes_through_the_one_door_and_its_exit_code_tells_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, verdict: str, code: int
) -> None:
    fake = FakeLambda(verdict)
    monkeypatch.setattr(Aws, "client", lambda _self, _service: fake)
    assert main(["retrain", "--reason", "new labels"]) == code
    [(function, event)] = fake.events
    assert function == "tideline-dev-start-training"
    assert event["cause"] == "operator"
    assert event["incident"].startswith("new labels@")
    assert f"{verdict}: because" in capsys.readouterr().out


def live(dynamodb: Any, *outcomes: str) -> list[str]:
    """A registry with a version a release and a ledger that says how each release ended; the last one is live."""
    sagemaker = boto3.client("sagemaker", region_name="us-east-1")
    sagemaker.create_model_package_group(
        ModelPackageGroupName="tideline-dev", ModelPackageGroupDescription="x"
    )
    arns = []
    for number, outcome in enumerate(outcomes, start=1):
        arn = sagemaker.create_model_package(
            ModelPackageGroupName="tideline-dev", ModelApprovalStatus="Approved"
        )["ModelPackageArn"]
        body = {"release_id": f"{number:06d}", "package_arn": arn, "outcome": outcome}
        put(dynamodb, "RELEASE", body["release_id"], body)
        if outcome == "live":
            put(dynamodb, "CHAMPION", "live", body)
        arns.append(arn)
    return arns


def put(dynamodb: Any, pk: str, sk: str, body: dict[str, Any]) -> None:
    dynamodb.put_item(
        TableName="ledger", Item={"pk": {"S": pk}, "sk": {"S": sk}, "body": {"S": json.dumps(body)}}
    )


def statuses(arns: list[str]) -> list[str]:
    sagemaker = boto3.client("sagemaker", region_name="us-east-1")
    return [sagemaker.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"] for arn in arns]


def test_rollback_rejects_what_serves_and_says_what_comes_back(ledger: Any, capsys: Any) -> None:
    arns = live(ledger, "live", "rolled-back", "live")
    assert main(["rollback", "--reason", "late flights are missed"]) == 0
    assert statuses(arns) == ["Approved", "Approved", "Rejected"]
    assert capsys.readouterr().out == (
        "tideline-dev/1 serves again in place of tideline-dev/3; release_model takes it from here\n"
    )


def test_a_release_on_hold_is_what_a_rollback_rejects(ledger: Any) -> None:
    arns = live(ledger, "live", "held")
    assert main(["rollback", "--reason", "no"]) == 0
    assert statuses(arns) == ["Approved", "Rejected"]


def test_without_an_earlier_release_a_rollback_changes_nothing_and_says_so(ledger: Any, capsys: Any) -> None:
    arns = live(ledger, "live")
    assert main(["rollback", "--reason", "no"]) == 3
    assert statuses(arns) == ["Approved"]
    assert "so tideline-dev/1 goes on serving; approve another version" in capsys.readouterr().out


def test_without_a_live_model_there_is_nothing_to_roll_back(ledger: Any, capsys: Any) -> None:
    live(ledger)
    assert main(["rollback", "--reason", "no"]) == 2
    assert "no model is live" in capsys.readouterr().err


def test_while_a_release_is_made_a_rollback_rejects_nothing(ledger: Any, capsys: Any) -> None:
    arns = live(ledger, "live", "live", "rolled-back")
    put(ledger, "LEASE", "release", {"release_id": "000004", "package_arn": arns[2]})
    assert main(["rollback", "--reason", "no"]) == 2
    assert "release 000004 of tideline-dev/3 is being made" in capsys.readouterr().err
    assert statuses(arns) == ["Approved"] * 3


def test_release_is_another_word_for_approve(ledger: Any) -> None:
    arns = live(ledger, "live", "live")
    assert main(["release", "1"]) == 0
    assert statuses(arns) == ["Approved", "Approved"]
