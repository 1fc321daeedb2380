"""What AWS would do by itself and no life here shows: dead letters, alarms' messages, access logs, encrypted logs.

Each of these fails without a sound if a policy does not let it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from rehearsal.engine import Account
from rehearsal.engine.iam import enforcement
from rehearsal.engine.iam.policies import Access
from rehearsal.engine.moto_seams import functions as function_seam
from rehearsal.scenarios.finding import Finding
from rehearsal.scenarios.strangers import ANOTHER_ACCOUNT, NEIGHBOUR
from rehearsal.scenarios.turn import Outcome

OF_LOGS = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
"""What CloudWatch Logs asks of a key: "Encrypt log data in CloudWatch Logs using AWS Key Management Service"."""


def check_unseen(outcome: Outcome) -> Iterator[Finding]:
    account, prefix = outcome.deployment.account, f"{outcome.deployment.config.name}-"
    for expectation, found in (
        (
            "what is lost would lie in dead letters",
            [*_lost_events(account, prefix), *_lost_calls(account, prefix)],
        ),
        ("every alarm's message would arrive", list(_messages(account, prefix))),
        ("every bucket's access log would be written", list(_access_logs(account, prefix))),
        ("CloudWatch Logs may use the key of every log group", list(_logs(account, prefix))),
    ):
        yield Finding(expectation, not found, "; ".join(sorted(found)[:3]))


def _lost_events(account: Account, prefix: str) -> Iterator[str]:
    """A rule's target has dead letters, and EventBridge may put them there."""
    client = account.client("events")
    service = enforcement.service(account, "events.amazonaws.com")
    for rule in client.list_rules(NamePrefix=prefix)["Rules"]:
        for target in client.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue is None:
                yield f"{rule['Name']} has a target without dead letters"
                continue
            yield from _refused(
                enforcement.imagined_refusal(
                    account, service, Access("sqs:SendMessage", queue), source_arn=rule["Arn"]
                )
            )


def _lost_calls(account: Account, prefix: str) -> Iterator[str]:
    """A function has dead letters for what it could not do, and its role may put them there."""
    for found in account.client("lambda").list_functions()["Functions"]:
        function = function_seam.find(account, found["FunctionArn"])
        if function and function.name.startswith(prefix) and function.dead_letters_arn:
            role = enforcement.session(account, function.role_arn, "lambda")
            access = Access("sqs:SendMessage", function.dead_letters_arn)
            yield from _refused(enforcement.imagined_refusal(account, role, access))


def _messages(account: Account, prefix: str) -> Iterator[str]:
    service = enforcement.service(account, "cloudwatch.amazonaws.com")
    for alarm in account.client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]:
        for topic in {*alarm["AlarmActions"], *alarm["OKActions"]}:
            yield from _refused(
                enforcement.imagined_refusal(
                    account, service, Access("sns:Publish", topic), source_arn=alarm["AlarmArn"]
                )
            )


def _access_logs(account: Account, prefix: str) -> Iterator[str]:
    """S3 writes them in the name of the bucket; for a bucket of another name or account it must not."""
    service = enforcement.service(account, "logging.s3.amazonaws.com")
    for bucket, target in _logged_buckets(account, prefix):
        for source, owner, is_ours in (
            (bucket, account.id, True),
            (NEIGHBOUR, account.id, False),
            (bucket, ANOTHER_ACCOUNT, False),
        ):
            context = (("aws:sourceaccount", (owner,)), ("aws:sourcearn", (f"arn:aws:s3:::{source}",)))
            allowed = enforcement.imagined(account, service, Access("s3:PutObject", target, context)).allowed
            if allowed != is_ours:
                may = "may" if allowed else "may not"
                yield f"S3 {may} write {target} for {source} of {owner}"


def _logged_buckets(account: Account, prefix: str) -> Iterator[tuple[str, str]]:
    """Each bucket that a template logs, and an object of its log; the local account keeps no such configuration."""
    cloudformation = account.client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if not stack["StackName"].startswith(prefix):
            continue
        body = cloudformation.get_template(StackName=stack["StackName"])["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else body
        resources = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
        names = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
        for logical_id, resource in template["Resources"].items():
            logging = resource.get("Properties", {}).get("LoggingConfiguration")
            if resource["Type"] == "AWS::S3::Bucket" and logging:
                into = names[logging["DestinationBucketName"]["Ref"]]
                yield names[logical_id], f"arn:aws:s3:::{into}/{logging.get('LogFilePrefix', '')}log"


def _logs(account: Account, prefix: str) -> Iterator[str]:
    service = enforcement.service(account, f"logs.{account.region}.amazonaws.com")
    for page in account.client("logs").get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            if "kmsKeyId" not in group or f"/{prefix}" not in group["logGroupName"]:
                continue
            about = f"arn:aws:logs:{account.region}:{account.id}:log-group:{group['logGroupName']}"
            for verb in OF_LOGS:
                context = (("kms:encryptioncontext:aws:logs:arn", (about,)),)
                yield from _refused(
                    enforcement.imagined_refusal(
                        account, service, Access(f"kms:{verb}", group["kmsKeyId"], context)
                    )
                )


def _refused(said: str) -> Iterator[str]:
    if said:
        yield said
