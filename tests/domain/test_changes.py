"""What a change of the templates lets in or gives up."""

from __future__ import annotations

from typing import Any

import pytest

from domain.changes import compare


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    document = {"Statement": list(statements)}
    return {
        "Type": "AWS::IAM::Policy",
        "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": document},
    }


READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::GetAtt": ["Data", "Arn"]}}
WRITE = {**READ, "Action": ["s3:GetObject", "s3:PutObject"]}
TLS = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Resource": "*",
    "Principal": "*",
    "Condition": {"Bool": {"x": "false"}},
}


def broader(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [f"{grant.holder}: {grant}" for grant in compare({"own": before}, {"own": after}).broader]


def test_a_new_action_is_broader_and_taking_it_away_is_narrower() -> None:
    before, after = template(P=policy(READ)), template(P=policy(WRITE))
    assert broader(before, after) == ["own/<Role>: Allow s3:PutObject on <Data.Arn>"]
    assert broader(after, before) == []
    assert len(compare({"own": after}, {"own": before}).narrower) == 1


def test_a_deny_that_is_gone_is_broader() -> None:
    bucket = {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": [TLS]}}}
    open_ = {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": []}}}
    (found,) = broader(template(B=bucket), template(B=open_))
    assert found.startswith("own/B: Deny s3:* on *")
    assert broader(template(B=open_), template(B=bucket)) == []


@pytest.mark.parametrize(
    "wider",
    [
        {**READ, "Resource": "*"},
        {**READ, "Condition": {"StringEquals": {"a": "b"}}},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    ],
)
def test_another_resource_condition_or_everything_but_is_for_a_person_to_judge(wider: dict[str, Any]) -> None:
    assert len(broader(template(P=policy(READ)), template(P=policy(wider)))) == 1


def test_statements_that_only_move_or_are_written_otherwise_change_nothing() -> None:
    one = policy({**WRITE, "Sid": "Both"})
    two = policy(READ, {**READ, "Action": "s3:PutObject"})
    assert compare({"own": template(P=one)}, {"own": template(Q=two)}).broader == ()


def test_who_may_take_a_role_or_call_a_function_counts() -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::1:root"}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": trust}}}
    call = {"FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    permission = {"Type": "AWS::Lambda::Permission", "Properties": call}
    managed = {
        "Type": "AWS::IAM::Role",
        "Properties": {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/Admin"]},
    }
    found = broader(template(), template(R=role, C=permission, M=managed))
    assert [line.split(": ")[0] for line in found] == ["own/<F>", "own/M", "own/R"]


def table(**changed: Any) -> dict[str, Any]:
    return {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "ledger"}, **changed}


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (template(), "own/T (AWS::DynamoDB::Table) would be deleted"),
        (template(T=table(Properties={"TableName": "other"})), "would be replaced, since TableName changes"),
        (template(U=table()), "would be deleted"),
    ],
)
def test_data_that_a_change_would_delete_or_replace_is_named(after: dict[str, Any], said: str) -> None:
    (found,) = compare({"own": template(T=table())}, {"own": after}).lost
    assert said in found


def test_data_that_is_kept_is_left_behind_and_that_is_said_too() -> None:
    before = template(T=table(DeletionPolicy="Retain"))
    assert "left behind" in compare({"own": before}, {}).lost[0]
    assert compare({"own": before}, {"own": before}).lost == ()
