"""What SageMaker itself does under an execution role, besides S3: pull the image, keep the logs."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from rehearsal.engine import embedded_metrics, images, roles
from rehearsal.engine.account import Account

SAGEMAKER = "sagemaker.amazonaws.com"
PULL_VERBS = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
LOG_VERBS = ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")


def pull(account: Account, role_arn: str, image_uri: str) -> images.Image:
    """The image, if the role may pull it; else PermissionError in SageMaker's words."""
    image = images.resolve(account, image_uri)
    name = image_uri.partition("/")[2].partition("@")[0].partition(":")[0]
    repository = f"arn:aws:ecr:{account.region}:{account.id}:repository/{name}"
    for verb, resource in (("GetAuthorizationToken", "*"), *((verb, repository) for verb in PULL_VERBS)):
        refused = roles.refusal(account, role_arn, SAGEMAKER, f"ecr:{verb}", resource)
        if refused:
            raise PermissionError(
                f"The role '{role_arn}' does not have {verb} permission for the image: '{image_uri}'. {refused}"
            )
    return image


def write_logs(
    account: Account, role_arn: str, group: str, stream: str, output: str, *, at: datetime | None = None
) -> None:
    """Put a container's output into CloudWatch Logs, at the virtual time; without the permissions there is none.

    Embedded metrics in it become metrics.
    """
    base = f"arn:aws:logs:{account.region}:{account.id}:log-group:{group}:log-stream:"
    about_streams = {"CreateLogStream", "PutLogEvents"}
    for verb in LOG_VERBS:
        resource = f"{base}{stream}" if verb in about_streams else base
        if roles.refusal(account, role_arn, SAGEMAKER, f"logs:{verb}", resource):
            return
    logs = account.client("logs")
    if not any(
        found["logGroupName"] == group
        for found in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    ):
        logs.create_log_group(logGroupName=group)
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    time_ms = int((at or account.clock.now()).timestamp() * 1000)
    events = [{"timestamp": time_ms, "message": line} for line in output.splitlines() if line]
    for first in range(0, len(events), 10_000):  # PutLogEvents' limit
        logs.put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=events[first : first + 10_000]
        )
    embedded_metrics.publish(account, group, output.splitlines(), at=at)


def epoch_ms(account: Account) -> int:
    return int(account.clock.now().timestamp() * 1000)
