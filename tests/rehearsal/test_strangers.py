"""Who must not get in: each way in that a policy leaves open is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal.engine import Account
from rehearsal.scenarios.strangers import check_strangers
from tests.engine.runtime_world import zipped

VERSION = "2012-10-17"
CONTEXT = "kms:EncryptionContext:aws:sns:topicArn"
NO_TLS = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
FOR_RULES = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": "*",
}


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path) as made:
        yield made


def red(account: Account, *statements: dict[str, Any]) -> dict[str, str]:
    """What is found about a queue of ours with these statements, beside one of a neighbour without any."""
    sqs = account.client("sqs")
    policy = {"Policy": json.dumps({"Version": VERSION, "Statement": list(statements)})}
    sqs.create_queue(QueueName="ours-letters", Attributes=policy)
    sqs.create_queue(QueueName="neighbour")
    deployment: Any = SimpleNamespace(account=account, config=SimpleNamespace(name="ours"))
    found = check_strangers(SimpleNamespace(deployment=deployment))  # type: ignore[arg-type]
    return {one.expectation: one.where for one in found if not one.held}


def rule(source: str) -> dict[str, Any]:
    return {**FOR_RULES, "Condition": {"ArnEquals": {"aws:SourceArn": source}}}


def test_a_queue_that_names_its_rule_and_wants_tls_lets_nobody_else_in(account: Account) -> None:
    assert red(account, NO_TLS, rule("arn:aws:events:us-east-1:123456789012:rule/ours")) == {}


def test_a_queue_that_answers_without_tls_is_named(account: Account) -> None:
    assert "ours-letters" in red(account)["nothing answers without TLS"]


def test_a_deny_that_is_not_about_tls_only_is_no_way_in_and_an_allow_is_no_deny(account: Account) -> None:
    allowing = {**NO_TLS, "Effect": "Allow", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    assert "nothing answers without TLS" in red(account, allowing)


def test_a_queue_that_takes_every_rule_s_events_takes_a_neighbour_s_and_another_account_s(
    account: Account,
) -> None:
    found = red(account, NO_TLS, FOR_RULES)
    assert "events.amazonaws.com may sqs:SendMessage" in found["no rule of a neighbour gets in"]
    assert "999999999999" in found["no service gets in for another account"]


def test_a_role_that_hands_any_role_to_any_service_is_named(account: Account) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = account.client("iam")
    iam.create_role(
        RoleName="ours-role", AssumeRolePolicyDocument=json.dumps({"Version": VERSION, "Statement": [trust]})
    )
    passing = {
        "Version": VERSION,
        "Statement": [{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}],
    }
    iam.put_role_policy(RoleName="ours-role", PolicyName="p", PolicyDocument=json.dumps(passing))
    assert "iam:PassRole" in red(account, NO_TLS)["no role reaches into a neighbour's things"]


def test_a_topic_to_which_a_rule_writes_cannot_name_it_and_any_other_topic_can(account: Account) -> None:
    sns, events = account.client("sns"), account.client("events")
    topics = [sns.create_topic(Name=name)["TopicArn"] for name in ("ours-told", "ours-other")]
    for topic in topics:
        statement = {**FOR_RULES, "Action": "sns:Publish", "Resource": topic}
        plain = {**NO_TLS, "Action": "sns:Publish", "Resource": topic}
        policy = json.dumps({"Version": VERSION, "Statement": [statement, plain]})
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    events.put_rule(Name="failed", EventPattern=json.dumps({"source": ["aws.codepipeline"]}))
    events.put_targets(Rule="failed", Targets=[{"Id": "told", "Arn": topics[0]}])
    found = red(account, NO_TLS)
    assert "ours-other" in found["no rule of a neighbour gets in"]
    assert "ours-told" not in str(found)


@pytest.mark.parametrize(
    ("condition", "finding"),
    [
        ({"ArnLike": {CONTEXT: "arn:aws:sns:us-east-1:123456789012:ours-*"}}, ""),
        (
            {"ArnLike": {CONTEXT: "arn:aws:sns:us-east-1:123456789012:*"}},
            "no role reaches into a neighbour's things",
        ),
        ({}, "no service gets in for another account"),
    ],
    ids=["its own topics", "any topic", "anything"],
)
def test_a_key_of_a_topic_to_which_a_rule_writes_serves_that_topic_alone(
    account: Account, condition: dict[str, Any], finding: str
) -> None:
    root = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*"}
    given = {**FOR_RULES, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Condition": condition}
    statements = [{**one, "Resource": "*"} for one in (root, given)]
    kms = account.client("kms")
    key = kms.create_key(Policy=json.dumps({"Version": VERSION, "Statement": statements}))["KeyMetadata"]
    kms.create_alias(AliasName="alias/ours-key", TargetKeyId=key["KeyId"])
    found = {name: where for name, where in red(account, NO_TLS).items() if ":key/" in where}
    assert set(found) >= {finding} if finding else found == {}


DENIED = {
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": "kms:Sign",
    "Resource": "*",
    "Condition": {"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/ours-dev-sign-model"}},
}


@pytest.mark.parametrize(
    ("denied", "signers"), [([DENIED], []), ([], ["ours-dev-other"])], ids=["a deny", "none"]
)
def test_a_role_that_could_sign_if_it_were_granted_is_named(
    account: Account, denied: list[dict[str, Any]], signers: list[str]
) -> None:
    """The other role has the grant: the key alone keeps it out."""
    kms, iam = account.client("kms"), account.client("iam")
    root = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*"}
    policy = json.dumps({"Version": VERSION, "Statement": [{**root, "Resource": "*"}, *denied]})
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Policy=policy)["KeyMetadata"]
    kms.create_alias(AliasName="alias/ours-dev-signing", TargetKeyId=made["KeyId"])
    may = json.dumps(
        {"Version": VERSION, "Statement": [{"Effect": "Allow", "Action": "kms:Sign", "Resource": "*"}]}
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for name in ("ours-dev-sign-model", "ours-dev-other"):
        document = json.dumps({"Version": VERSION, "Statement": [trust]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=may)
    role = "arn:aws:iam::123456789012:role/ours-dev-sign-model"
    account.client("lambda").create_function(
        FunctionName="ours-dev-sign-model",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": zipped("")},
    )
    where = red(account, NO_TLS).get("no other role could sign, whatever it were granted", "")
    assert all(f"role/{name} may sign" in where for name in signers)
    assert bool(where) == bool(signers)


def test_a_role_that_may_scale_more_than_instances_of_endpoints_is_named(account: Account) -> None:
    own = "application-autoscaling:"
    whole = {
        f"{own}service-namespace": "sagemaker",
        f"{own}scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
    }
    service_role = {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}
    cases = (
        ("application-autoscaling:RegisterScalableTarget", whole, False),
        ("application-autoscaling:RegisterScalableTarget", dict(list(whole.items())[:1]), True),
        ("application-autoscaling:DeregisterScalableTarget", dict(list(whole.items())[1:]), True),
        ("iam:CreateServiceLinkedRole", service_role, False),
        ("iam:CreateServiceLinkedRole", {}, True),
    )
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = account.client("iam")
    document = json.dumps({"Version": VERSION, "Statement": [trust]})
    iam.create_role(RoleName="ours-scaling", AssumeRolePolicyDocument=document)
    for action, condition, is_named in cases:
        statement = {
            "Effect": "Allow",
            "Action": action,
            "Resource": "*",
            "Condition": {"StringEquals": condition},
        }
        policy = json.dumps({"Version": VERSION, "Statement": [statement]})
        iam.put_role_policy(RoleName="ours-scaling", PolicyName="p", PolicyDocument=policy)
        found = red(account, NO_TLS, rule("arn:aws:events:us-east-1:123456789012:rule/ours"))
        told = found.get("no role reaches into a neighbour's things", "")
        assert (f"ours-scaling may {action}" in told) == is_named, (action, condition)
