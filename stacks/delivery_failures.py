"""Who is told when a push or a check fails: a topic under the delivery's key, and the rules that write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from stacks.functions import DELIVERY_ATTEMPTS
from stacks.key import alarms_statement, rules_to_topics_statement
from stacks.people import people_topic, tell_of_dead_letters

if TYPE_CHECKING:
    from stacks.delivery import DeliveryStack


class Failures:
    """One sentence to people for each execution that fails, and an alarm on what lies in dead letters."""

    def __init__(self, stack: DeliveryStack) -> None:
        self._stack, self._topic = stack, _topic(stack)
        said = (
            "A push that did not start, or a failure that was not told, lies in the delivery's dead letters."
        )
        tell_of_dead_letters(stack, "DeadLettersLost", stack.dead_letters, self._topic, said=said)

    def tell_of(self, pipeline: codepipeline.CfnPipeline, construct_id: str, what: str) -> None:
        """`what` has failed. What was superseded or stopped has not, and a stage that is tried again has not yet."""
        stack = self._stack
        pattern = events.EventPattern(
            source=["aws.codepipeline"],
            detail_type=["CodePipeline Pipeline Execution State Change"],
            detail={"pipeline": [pipeline.ref], "state": ["FAILED"]},
        )
        target = targets.SnsTopic(
            self._topic,
            message=events.RuleTargetInput.from_text(_message(what, stack.region)),
            dead_letter_queue=stack.dead_letters,
            retry_attempts=DELIVERY_ATTEMPTS,
        )
        description = f"{stack.delivery.name}: {what.lower()} failed is told to people"
        events.Rule(stack, construct_id, description=description, event_pattern=pattern, targets=[target])


def _message(what: str, region: str) -> str:
    pipeline = events.EventField.from_path("$.detail.pipeline")
    execution = events.EventField.from_path("$.detail.execution-id")
    console = "https://console.aws.amazon.com/codesuite/codepipeline/pipelines"
    return (
        f"{what} failed in {pipeline}. What failed, and why: "
        f"{console}/{pipeline}/executions/{execution}/timeline?region={region} "
        "What to do: docs/runbooks/delivery.md"
    )


def _topic(stack: DeliveryStack) -> sns.Topic:
    # By its ARN: otherwise the rule's target would write a statement without a condition into the key's policy.
    key = kms.Key.from_key_arn(stack, "KeyByArn", stack.key.key_arn)
    topic = people_topic(stack, key, stack.delivery.notify_email)
    stack.key.add_to_resource_policy(alarms_statement(stack))
    stack.key.add_to_resource_policy(rules_to_topics_statement(stack, f"{stack.stack_name}-*"))
    CfnOutput(stack, "FailuresTopic", value=topic.topic_arn, description="Tells when a push fails")
    return topic
