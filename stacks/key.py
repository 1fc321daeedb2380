"""The one key under which all data at rest lies, and the AWS services that may use it without a role of ours."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from domain.names import Names
from stacks.permissions import arn

TO_SEND = ["kms:Decrypt", "kms:GenerateDataKey*"]
"""What whoever sends to an encrypted queue or topic needs of its key."""


def deployment_key(scope: Construct, names: Names, brought_key_arn: str | None) -> kms.IKey:
    """The brought key, or a new one. Either way grants go into the roles' policies, never into the key's.

    A brought key is not touched, no alias is made, and its own policy must hold, beside the usual statement that
    lets the account's IAM policies decide (`kms:*` for the account's root):

    - logs.<region>.amazonaws.com: kms:Encrypt, Decrypt, ReEncrypt*, GenerateDataKey*, DescribeKey, where
      kms:EncryptionContext:aws:logs:arn is like <account>:log-group:/aws/lambda/<name>-<environment>-*
    - cloudwatch.amazonaws.com and events.amazonaws.com: kms:Decrypt, GenerateDataKey*, where aws:SourceAccount is
      the account: alarms publish to the encrypted topic, rules send to encrypted queues
    """
    if brought_key_arn:
        return kms.Key.from_key_arn(scope, "Key", brought_key_arn)
    key = kms.Key(
        scope,
        "Key",
        alias=f"alias/{names.deployment}",
        description=f"All data at rest of {names.deployment}",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    for statement in service_statements(Stack.of(scope), names):
        key.add_to_resource_policy(statement)
    # By its ARN, as a brought key: otherwise each queue and topic of other stacks would write into this policy.
    return kms.Key.from_key_arn(scope, "KeyByArn", key.key_arn)


def signing_key(scope: Construct, names: Names) -> kms.Key:
    """The key pair that signs what may be released. No policy of IAM's can let another role sign than the function's.

    An asymmetric key has no rotation: a new one is a new resource, and releases of before keep their own public key.
    """
    key = kms.Key(
        scope,
        "SigningKey",
        alias=f"alias/{names.deployment}-signing",
        description=f"Signs the manifests of the models of {names.deployment}",
        key_spec=kms.KeySpec.ECC_NIST_P256,
        key_usage=kms.KeyUsage.SIGN_VERIFY,
        removal_policy=RemovalPolicy.RETAIN,
    )
    stack = Stack.of(scope)
    signer = f"arn:{stack.partition}:iam::{stack.account}:role/{names.signing_role}"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["kms:Sign"],
            resources=["*"],
            conditions={"ArnNotEquals": {"aws:PrincipalArn": signer}},
        )
    )
    return key


def service_statements(stack: Stack, names: Names) -> list[iam.PolicyStatement]:
    """CloudWatch Logs for our functions' log groups only; alarms and rules of this account only."""
    return [
        logs_statement(stack, f"/aws/lambda/{names.deployment}-*"),
        alarms_statement(stack),
        rules_to_queues_statement(stack),
    ]


def alarms_statement(stack: Stack) -> iam.PolicyStatement:
    """Alarms of this account may publish to topics under the key."""
    return _statement("cloudwatch.amazonaws.com", TO_SEND, _ours(stack))


def rules_to_queues_statement(stack: Stack) -> iam.PolicyStatement:
    """EventBridge may use the key to send to queues, for this account. To a topic it could not: see below."""
    return _statement("events.amazonaws.com", TO_SEND, _ours(stack))


def rules_to_topics_statement(stack: Stack, topics: str) -> iam.PolicyStatement:
    """EventBridge may use the key to write to topics of this name, which may end in a wildcard.

    It tells SNS neither its rule nor its account, so that a condition on either would keep it out; but SNS names
    the topic whenever it uses a key.
    """
    of_topics = {"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": arn(stack, "sns", topics)}}
    return _statement("events.amazonaws.com", TO_SEND, of_topics)


def logs_statement(stack: Stack, log_groups: str) -> iam.PolicyStatement:
    """CloudWatch Logs may use the key for log groups of this name, which may end in a wildcard."""
    return _statement(
        f"logs.{stack.region}.amazonaws.com",
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn(stack, "logs", f"log-group:{log_groups}")}},
    )


def _ours(stack: Stack) -> dict[str, Any]:
    return {"StringEquals": {"aws:SourceAccount": stack.account}}


def _statement(service: str, actions: list[str], conditions: dict[str, Any]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(service)], actions=actions, resources=["*"], conditions=conditions
    )
