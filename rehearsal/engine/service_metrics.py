"""The metrics that Lambda, SQS and SageMaker Pipelines publish by themselves, as far as anybody watches them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rehearsal.engine.moto_seams import cloudwatch
from rehearsal.engine.moto_seams import queues as seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

REPEAT_AFTER = timedelta(minutes=5)  # AWS publishes each minute; a standing value need not


def install(account: Account) -> None:
    published: dict[str, tuple[int, datetime]] = {}

    def publish_depths() -> None:
        now = account.clock.now()
        for queue, depth in seam.depths(account).items():
            last, at = published.get(queue, (0, now))
            if depth != last or (depth and now - at >= REPEAT_AFTER):
                published[queue] = (depth, now)
                _put(account, "AWS/SQS", "QueueName", queue, {"ApproximateNumberOfMessagesVisible": depth})

    account.on_advance.append(publish_depths)


def record_invocation(account: Account, function: str, *, ok: bool) -> None:
    _put(account, "AWS/Lambda", "FunctionName", function, {"Invocations": 1, "Errors": int(not ok)})


def record_execution(account: Account, pipeline: str, status: str, lasted: timedelta) -> None:
    """An execution of a SageMaker pipeline that ended as `status` says."""
    space = "AWS/Sagemaker/ModelBuildingPipeline"
    _put(account, space, "PipelineName", pipeline, {f"Execution{status}": 1})
    milliseconds = {"ExecutionDuration": round(lasted.total_seconds() * 1000)}
    _put(account, space, "PipelineName", pipeline, milliseconds, unit="Milliseconds")


def _put(
    account: Account,
    namespace: str,
    dimension: str,
    name: str,
    values: dict[str, int],
    *,
    unit: str = "Count",
) -> None:
    data = [
        {
            "MetricName": metric,
            "Dimensions": [{"Name": dimension, "Value": name}],
            "Value": value,
            "Unit": unit,
        }
        for metric, value in values.items()
    ]
    cloudwatch.publish(account, namespace, data)
