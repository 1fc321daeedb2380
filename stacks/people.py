"""Who is told: a topic under a key of ours, which alarms may publish to, and the alarm on a queue of dead letters."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct


def people_topic(stack: Stack, key: kms.IKey, notify_email: str | None) -> sns.Topic:
    """The topic `People` of a stack; the key's policy must let CloudWatch use it."""
    topic = sns.Topic(stack, "People", master_key=key, enforce_ssl=True)
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    if notify_email:
        topic.add_subscription(subscriptions.EmailSubscription(notify_email))
    return topic


def tell_of_dead_letters(
    scope: Construct,
    construct_id: str,
    queue: sqs.Queue,
    topic: sns.Topic,
    *,
    said: str,
    alarm_name: str | None = None,
) -> None:
    """An alarm that is red while a message lies in the queue; `said` begins its description."""
    alarm = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=alarm_name,
        alarm_description=f"{said} Runbook: docs/runbooks/dead-letters.md",
        metric=queue.metric_approximate_number_of_messages_visible(),
        threshold=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        evaluation_periods=1,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(actions.SnsAction(topic))
