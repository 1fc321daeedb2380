"""Policies: which statements speak about a request, and how the policies of all kinds combine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.engine.account import Unsupported
from rehearsal.engine.iam import conditions
from rehearsal.engine.iam.decisions import Policies, decide, refusal
from rehearsal.engine.iam.patterns import matches_any
from rehearsal.engine.iam.policies import Access, Principal, judge

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/work"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/work/lambda"
WORKER = Principal(ACCOUNT, role_arn=ROLE, session_arn=SESSION)
SERVICE = Principal(ACCOUNT, service="s.amazonaws.com")
QUEUE = "arn:aws:sqs:us-east-1:123456789012:in"
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "sqs:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def access(action: str = "sqs:SendMessage", resource: str = QUEUE, **context: str) -> Access:
    return Access(
        action, resource, tuple((key.replace("_", ":"), (value,)) for key, value in context.items())
    )


ADMITS_SERVICE = {"Principal": {"Service": "s.amazonaws.com"}}


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([allow(**ADMITS_SERVICE)], True),
        ([allow("SQS:SendMessage", **ADMITS_SERVICE)], True),
        ([allow("sqs:DeleteMessage", **ADMITS_SERVICE)], False),
        ([allow(resource="arn:other", **ADMITS_SERVICE)], False),
        ([allow(Principal={"Service": ["t.amazonaws.com", "s.amazonaws.com"]})], True),
        ([allow(Principal="*")], True),
        ([allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], False),
        ([allow(NotPrincipal={"Service": "s.amazonaws.com"})], False),
        ([allow(NotPrincipal={"Service": "t.amazonaws.com"})], True),
        ([allow(Condition={"ArnLike": {"AWS:SourceArn": "arn:rule/*"}}, **ADMITS_SERVICE)], True),
        ([allow(Condition={"StringEquals": {"aws:SourceAccount": "9"}}, **ADMITS_SERVICE)], False),
        (
            [
                allow(**ADMITS_SERVICE),
                deny(Condition={"Bool": {"aws:SecureTransport": "false"}}, Principal={"AWS": "*"}),
            ],
            True,
        ),
        ([allow(**ADMITS_SERVICE), deny(Principal="*")], False),
    ],
)
def test_a_service_is_let_in_by_the_resource_s_policy_alone(
    statements: list[dict[str, Any]], allowed: bool
) -> None:
    asked = access(aws_sourcearn="arn:rule/x", aws_sourceaccount=ACCOUNT, aws_securetransport="true")
    assert decide(Policies(resource=(document(*statements),)), SERVICE, asked).allowed is allowed


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        (Policies(identity=(document(allow()),)), True),
        (Policies(), False),
        (Policies(resource=(document(allow(Principal={"AWS": ROLE})),)), True),
        (Policies(resource=(document(allow(Principal={"AWS": SESSION})),)), True),
        (
            Policies(resource=(document(allow(Principal={"AWS": ACCOUNT})),)),
            False,
        ),  # leaves it to IAM, which is silent
        (Policies(identity=(document(allow()),), resource=(document(deny(Principal="*")),)), False),
        (
            Policies(identity=(document(allow()),), resource=(document(deny(Principal={"AWS": ACCOUNT})),)),
            False,
        ),
        (Policies(identity=(document(allow()), document(deny()))), False),
        (Policies(identity=(document(allow()),), boundary=document(allow("s3:*"))), False),
        (Policies(identity=(document(allow()),), boundary=document(allow("sqs:Send*"))), True),
        (Policies(boundary=document(allow())), False),
        (Policies(identity=(document(allow()),), boundary=document(allow(), deny("sqs:SendMessage"))), False),
    ],
)
def test_within_an_account_either_side_allows_and_any_deny_wins(policies: Policies, allowed: bool) -> None:
    assert decide(policies, WORKER, access()).allowed is allowed


@pytest.mark.parametrize(
    ("key_policy", "identity", "allowed"),
    [
        (
            [allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})],
            [allow("kms:Decrypt", KEY)],
            True,
        ),
        ([allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], [], False),
        ([allow("kms:*", **ADMITS_SERVICE)], [allow("kms:Decrypt", KEY)], False),
        ([allow("kms:Decrypt", Principal={"AWS": ROLE})], [], True),
    ],
)
def test_a_key_s_policy_must_allow_itself_or_leave_it_to_iam(
    key_policy: list[dict[str, Any]], identity: list[dict[str, Any]], allowed: bool
) -> None:
    policies = Policies(identity=(document(*identity),), resource=(document(*key_policy),), must_agree=True)
    assert decide(policies, WORKER, access("kms:Decrypt", KEY)).allowed is allowed


@pytest.mark.parametrize(
    ("policies", "ending"),
    [
        (Policies(), "because no identity-based policy allows the sqs:SendMessage action"),
        (Policies(identity=(document(deny()),)), "with an explicit deny in an identity-based policy"),
        (
            Policies(resource=(document(deny(Principal="*")),)),
            "with an explicit deny in a resource-based policy",
        ),
        (
            Policies(identity=(document(allow()),), boundary=document(allow("s3:*"))),
            "because no permissions boundary allows the sqs:SendMessage action",
        ),
        (Policies(boundary=document(deny())), "with an explicit deny in a permissions boundary"),
    ],
)
def test_a_refusal_reads_as_aws_writes_it(policies: Policies, ending: str) -> None:
    asked = access()
    text = refusal(WORKER, asked, decide(policies, WORKER, asked))
    assert (
        text == f"User: {SESSION} is not authorized to perform: sqs:SendMessage on resource: {QUEUE} {ending}"
    )


def test_s3_quotes_the_resource_and_no_resource_is_not_named() -> None:
    asked = access("s3:GetObject", "arn:aws:s3:::b/k")
    assert ' on resource: "arn:aws:s3:::b/k" because ' in refusal(
        WORKER, asked, decide(Policies(), WORKER, asked)
    )
    asked = access("cloudwatch:PutMetricData", "*")
    assert "PutMetricData because " in refusal(WORKER, asked, decide(Policies(), WORKER, asked))


def test_the_grants_that_let_it_through_are_named_as_they_are_written() -> None:
    two = document(allow(["sqs:Send*", "sqs:DeleteMessage"]), allow("sqs:*"), allow("s3:*"))
    grants = decide(Policies(identity=(two,)), WORKER, access()).grants
    assert sorted(grant.action for grant in grants) == ["sqs:*", "sqs:Send*"]


@given(st.lists(st.sampled_from(["a", "b", "*", "?", "[", "."]), max_size=8), st.text("ab[.", max_size=8))
def test_a_pattern_matches_as_its_letters_say(pattern: list[str], value: str) -> None:
    expected = "".join(
        {"*": "[ab.\\[]*", "?": "[ab.\\[]"}.get(letter, re.escape(letter)) for letter in pattern
    )
    assert matches_any(("".join(pattern),), value) == bool(re.fullmatch(expected, value))


@given(st.text("ab*?", min_size=1, max_size=6), st.text("ab", max_size=6))
def test_not_action_covers_exactly_what_action_does_not(pattern: str, action: str) -> None:
    asked = Access(action, "r")
    covers = judge([document({"Effect": "Allow", "Action": pattern, "Resource": "*"})], asked).allowed
    rest = judge([document({"Effect": "Allow", "NotAction": pattern, "Resource": "*"})], asked).allowed
    assert covers != rest


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": ("b",)}, True),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": ("b",)}, False),
        ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
        ({"StringEquals": {"s3:prefix": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
        ({"StringLike": {"s3:prefix": "runs/*"}}, {"s3:prefix": ("runs/1",)}, True),
        ({"ArnEquals": {"aws:SourceArn": "arn:rule/*"}}, {"aws:sourcearn": ("arn:rule/x",)}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": ("true",)}, False),
        ({"Null": {"cloudformation:TemplateUrl": "true"}}, {}, True),
        ({"Null": {"cloudformation:TemplateUrl": "true"}}, {"cloudformation:templateurl": ("u",)}, False),
        ({"Null": {"cloudformation:TemplateUrl": "false"}}, {"cloudformation:templateurl": ("u",)}, True),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, {"s3:tlsversion": ("1.3",)}, False),
        ({"NumericGreaterThanEquals": {"s3:TlsVersion": 1.2}}, {"s3:tlsversion": ("1.2",)}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:tagkeys": ("a", "c")}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:tagkeys": ("a", "c")}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
        ({"StringEquals": {"aws:RequestTag/project": "x"}}, {"aws:requesttag/project": ("x",)}, True),
        (
            {"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}},
            {"s3:prefix": ("a",), "aws:securetransport": ("false",)},
            False,
        ),
    ],
)
def test_a_condition_holds_as_documented(
    condition: dict[str, Any], context: conditions.Context, holds: bool
) -> None:
    assert conditions.hold(condition, context) is holds


@given(
    st.sampled_from(sorted(conditions.NEGATED)),
    st.sampled_from(["1", "2"]),
    st.lists(st.sampled_from("12"), min_size=1),
)
def test_a_negated_operator_says_the_opposite(negated: str, actual: str, expected: list[str]) -> None:
    context = {"s3:prefix": (actual,)}
    plain = conditions.hold({conditions.NEGATED[negated]: {"s3:prefix": expected}}, context)
    assert conditions.hold({negated: {"s3:prefix": expected}}, context) != plain


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (allow(Condition={"IpAddress": {"aws:SourceArn": "10.0.0.0/8"}}), "IpAddress"),
        (allow(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), "aws:PrincipalOrgID"),
        (allow(resource="arn:aws:s3:::home/${aws:username}/*"), r"\$\{aws:username\}"),
    ],
)
def test_what_cannot_be_judged_stops_the_run_by_name(statement: dict[str, Any], named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        judge([document(statement)], access(aws_sourcearn="x"))
