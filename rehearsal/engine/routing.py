"""Amazon EventBridge: matches events against the deployed rules and delivers them to their targets."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.engine import functions
from rehearsal.engine.account import Unsupported
from rehearsal.engine.event_input import target_input
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Access
from rehearsal.engine.moto_seams import events as seam
from rehearsal.engine.moto_seams import functions as function_seam
from rehearsal.engine.moto_seams.events import DeployedRule

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "events.amazonaws.com"
MOST_RETRIES, MOST_SECONDS = 185, 86_400
"""How often and how long EventBridge tries again without being told otherwise."""
LONGEST_WAIT_SECONDS = 480
"""So that 185 tries take a day."""


class RefusedError(Exception):
    """The target cannot be reached or does not let the rule in; EventBridge does not try again."""


@dataclass(frozen=True)
class Delivery:
    """An event for a target of a rule, how often it was tried in vain, and when it came."""

    rule: DeployedRule
    target: Mapping[str, Any]
    event: dict[str, Any]
    came: datetime
    failed: int = 0

    @property
    def facts(self) -> dict[str, Any]:
        return {"rule": self.rule.name, "target": self.target["Arn"], "event_id": self.event["id"]}

    def next_try(self, now: datetime) -> datetime | None:
        """Twice as long after each try; None if the target's retry policy allows no other."""
        policy = self.target.get("RetryPolicy") or {}
        due = now + timedelta(seconds=min(2**self.failed, LONGEST_WAIT_SECONDS))
        oldest = timedelta(seconds=int(policy.get("MaximumEventAgeInSeconds", MOST_SECONDS)))
        is_over = self.failed >= int(policy.get("MaximumRetryAttempts", MOST_RETRIES))
        return None if is_over or due - self.came > oldest else due


def install(account: Account) -> None:
    def put_event(source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> str:
        event = new_event(account, source, detail_type, detail, resources)
        route(account, event)
        return str(event["id"])

    def refuse_bus(name: str) -> None:
        account.journal.write(
            "unsupported", what=f"the event bus {name}: the local account has the default bus only"
        )

    seam.install(account, put_event, refuse_bus)


def new_event(
    account: Account,
    source: str,
    detail_type: str,
    detail: dict[str, Any],
    resources: list[str] | None = None,
) -> dict[str, Any]:
    """An event as EventBridge wraps it, at the account's time."""
    name = f"{len(account.journal.entries)}/{source}/{detail_type}"
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "detail-type": detail_type,
        "source": source,
        "account": account.id,
        "time": account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": account.region,
        "resources": resources or [],
        "detail": detail,
    }


def route(account: Account, event: dict[str, Any]) -> None:
    """Journal the event and defer one delivery per target of each enabled rule that matches it."""
    _journal(account, event)
    for rule in seam.rules(account):
        if rule.enabled and rule.matches(event):
            _defer_deliveries(account, rule, event)


def fire(account: Account, rule: DeployedRule) -> None:
    """Send a scheduled rule's event to its own targets."""
    event = new_event(account, "aws.events", "Scheduled Event", {}, [rule.arn])
    _journal(account, event)
    _defer_deliveries(account, rule, event)


def _journal(account: Account, event: dict[str, Any]) -> None:
    account.journal.write(
        "event",
        id=event["id"],
        source=event["source"],
        detail_type=event["detail-type"],
        detail=event["detail"],
        resources=event["resources"],
    )


def _defer_deliveries(account: Account, rule: DeployedRule, event: dict[str, Any]) -> None:
    for target in rule.targets:
        is_repeatable = target["Arn"].split(":")[2] in ("lambda", "sqs")
        put = account.at_least_once.deliver if is_repeatable else account.defer
        delivery = Delivery(rule, target, event, account.clock.now())
        put(f"deliver {rule.name}", partial(_deliver, account, delivery))


def _deliver(account: Account, delivery: Delivery) -> None:
    rule, target, event = delivery.rule, delivery.target, delivery.event
    payload = target_input(target, event, rule_arn=rule.arn, rule_name=rule.name)
    service = target["Arn"].split(":")[2]
    if service not in SENDERS:
        raise Unsupported(
            f"AWS::Events::Rule {rule.name} has the target {target['Arn']}: the local account delivers to Lambda, "
            "SQS, SNS and CodePipeline. Build it in rehearsal/engine/routing.py."
        )
    if account.faults.met("throttling", step=rule.name, job=target["Arn"].rsplit(":", 1)[-1]):
        _try_again(account, delivery)
        return
    try:
        SENDERS[service](account, rule, target, payload, event["id"])
    except RefusedError as refusal:
        account.journal.write("delivery", **delivery.facts, ok=False, error=str(refusal))
        _dead_letter(account, rule, target, event)
    else:
        account.journal.write("delivery", **delivery.facts, ok=True)


def _try_again(account: Account, delivery: Delivery) -> None:
    """Later, as the target's retry policy says; what may not be tried again is a dead letter."""
    due = delivery.next_try(account.clock.now())
    if due:
        again = replace(delivery, failed=delivery.failed + 1)
        account.wake_at(due, f"deliver {delivery.rule.name} again", partial(_deliver, account, again))
        return
    error = f"ThrottlingException: Rate exceeded; retried {delivery.failed} times"
    account.journal.write("delivery", **delivery.facts, ok=False, error=error)
    _dead_letter(account, delivery.rule, delivery.target, delivery.event)


def _to_lambda(
    account: Account, rule: DeployedRule, target: Mapping[str, Any], payload: Any, event_id: str
) -> None:
    arn = target["Arn"]
    if function_seam.find(account, arn) is None:
        raise RefusedError(f"the function {arn} does not exist")
    _require(account, rule, "lambda:InvokeFunction", arn)
    functions.invoke_later(account, arn, payload, event_id=event_id)


def _to_sqs(account: Account, rule: DeployedRule, target: Mapping[str, Any], payload: Any, _: str) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    _send_to_queue(account, rule, target["Arn"], payload, {"MessageGroupId": group} if group else {})


def _to_sns(account: Account, rule: DeployedRule, target: Mapping[str, Any], payload: Any, _: str) -> None:
    arn = target["Arn"]
    sns = account.client("sns")
    try:
        sns.get_topic_attributes(TopicArn=arn)
    except ClientError as missing:
        raise RefusedError(f"the topic {arn} does not exist") from missing
    _require(account, rule, "sns:Publish", arn)
    sns.publish(TopicArn=arn, Message=_text(payload))
    account.journal.write("told", topic=arn.rsplit(":", 1)[-1], message=_text(payload))


def _to_code_pipeline(
    account: Account, _: DeployedRule, target: Mapping[str, Any], __: Any, ___: str
) -> None:
    """The target's own role starts the pipeline; the event says nothing to it."""
    from rehearsal.engine.delivery import pipelines  # late: pipelines send events themselves

    try:
        pipelines.start_by_rule(account, target["Arn"], target.get("RoleArn", ""), SERVICE)
    except (PermissionError, LookupError) as refusal:
        raise RefusedError(str(refusal)) from refusal


SENDERS = {"lambda": _to_lambda, "sqs": _to_sqs, "sns": _to_sns, "codepipeline": _to_code_pipeline}


def _send_to_queue(
    account: Account, rule: DeployedRule, arn: str, payload: Any, extra: dict[str, str]
) -> None:
    """Send as EventBridge does, if the policies of the queue and of its key let this rule."""
    sqs = account.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
    except ClientError as missing:
        raise RefusedError(f"the queue {arn} does not exist") from missing
    _require(account, rule, "sqs:SendMessage", arn)
    sqs.send_message(QueueUrl=url, MessageBody=_text(payload), **extra)


def _require(account: Account, rule: DeployedRule, action: str, resource: str) -> None:
    events = enforcement.service(account, SERVICE)
    source = None if action == "sns:Publish" else rule.arn  # SNS is told nothing of the rule
    denial = enforcement.denial(account, events, Access(action, resource), source_arn=source)
    if denial:
        raise RefusedError(f"{denial.message}, asked for the rule {rule.arn}")


def _dead_letter(
    account: Account, rule: DeployedRule, target: Mapping[str, Any], event: dict[str, Any]
) -> None:
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        return
    facts = {"queue": arn.rsplit(":", 1)[-1], "rule": rule.name, "event_id": event["id"]}
    try:
        _send_to_queue(account, rule, arn, event, {})
    except RefusedError as refusal:
        account.journal.write("dead-letter", **facts, error=str(refusal))
    else:
        account.journal.write("dead-letter", **facts)


def _text(payload: Any) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload)
