"""Who is told when a push fails: a topic under the delivery's key, and the rule that writes one sentence to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from stacks.functions import DELIVERY_ATTEMPTS
from stacks.key import rules_to_topics_statement

if TYPE_CHECKING:
    from stacks.delivery import DeliveryStack


def tell_of_failures(stack: DeliveryStack, pipelines: list[codepipeline.CfnPipeline]) -> None:
    """An execution that was superseded or stopped has not failed, and a stage that is tried again has not yet."""
    topic = _topic(stack)
    pattern = events.EventPattern(
        source=["aws.codepipeline"],
        detail_type=["CodePipeline Pipeline Execution State Change"],
        detail={"pipeline": [pipeline.ref for pipeline in pipelines], "state": ["FAILED"]},
    )
    target = targets.SnsTopic(
        topic,
        message=events.RuleTargetInput.from_text(_message(stack.region)),
        dead_letter_queue=stack.dead_letters,
        retry_attempts=DELIVERY_ATTEMPTS,
    )
    description = f"A push to {stack.delivery.name} that fails is told to people"
    events.Rule(stack, "OnFailure", description=description, event_pattern=pattern, targets=[target])


def _message(region: str) -> str:
    pipeline = events.EventField.from_path("$.detail.pipeline")
    execution = events.EventField.from_path("$.detail.execution-id")
    console = "https://console.aws.amazon.com/codesuite/codepipeline/pipelines"
    return (
        f"A push failed in {pipeline}. What failed, and why: "
        f"{console}/{pipeline}/executions/{execution}/timeline?region={region} "
        "What to do: docs/runbooks/delivery.md"
    )


def _topic(stack: DeliveryStack) -> sns.Topic:
    # By its ARN: otherwise the rule's target would write a statement without a condition into the key's policy.
    key = kms.Key.from_key_arn(stack, "KeyByArn", stack.key.key_arn)
    topic = sns.Topic(stack, "People", master_key=key, enforce_ssl=True)
    stack.key.add_to_resource_policy(rules_to_topics_statement(stack, f"{stack.stack_name}-*"))
    if stack.delivery.notify_email:
        topic.add_subscription(subscriptions.EmailSubscription(stack.delivery.notify_email))
    CfnOutput(stack, "FailuresTopic", value=topic.topic_arn, description="Tells when a push fails")
    return topic
