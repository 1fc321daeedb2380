"""Private touches on moto's SQS: arrivals, receipts, mappings, and visibility on a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.core.utils import unix_time_millis
from moto.sqs.models import Message, Queue, sqs_backends

from rehearsal.engine.moto_seams.patches import replace

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


@dataclass(frozen=True)
class Mapping:
    """An enabled event source mapping from a queue to a function."""

    uuid: str
    queue_arn: str
    function_arn: str
    batch_size: int
    reports_item_failures: bool
    has_filter: bool


@dataclass(frozen=True)
class Batch:
    """What one receive brought, and the ids of the messages that it moved to the dead letters instead."""

    records: list[dict[str, Any]]
    dead_lettered: list[str]
    dead_letter_queue: str | None


def mappings(account: Account, queue_arn: str | None = None) -> list[Mapping]:
    """The enabled SQS mappings, of one queue or of all."""
    return [
        Mapping(
            mapping.uuid,
            mapping.event_source_arn,
            mapping.function_arn,
            mapping.batch_size,
            "ReportBatchItemFailures" in (mapping.function_response_types or []),
            bool((mapping.filter_criteria or {}).get("Filters")),
        )
        for mapping in list(lambda_backends[account.id][account.region]._event_source_mappings.values())
        if mapping.enabled
        and mapping.event_source_arn.split(":")[2] == "sqs"
        and queue_arn in (None, mapping.event_source_arn)
    ]


def has_visible_messages(account: Account, queue_arn: str) -> bool:
    queue = _queue(account, queue_arn)
    return queue is not None and bool(queue.messages)


def has_dead_letter_queue(account: Account, queue_arn: str) -> bool:
    queue = _queue(account, queue_arn)
    return queue is not None and queue.dead_letter_queue is not None


def depths(account: Account) -> dict[str, int]:
    """How many messages could be received from each queue, by name."""
    queues = sqs_backends[account.id][account.region].queues
    return {name: len(queue.messages) for name, queue in list(queues.items())}


def receive(account: Account, queue_arn: str, limit: int) -> Batch:
    """Receive up to `limit` messages as Lambda's poller does, in the shape of its records."""
    queue = _queue(account, queue_arn)
    if queue is None:
        return Batch([], [], None)
    dead = queue.dead_letter_queue
    before = {message.id for message in dead._messages} if dead else set()
    received = sqs_backends[account.id][account.region].receive_message(
        queue.name, limit, 0, queue.attributes["VisibilityTimeout"], message_attribute_names=["All"]
    )
    moved = [message.id for message in dead._messages if message.id not in before] if dead else []
    return Batch([_record(message, queue) for message in received], moved, dead.name if dead else None)


def delete(account: Account, queue_arn: str, receipt_handle: str) -> None:
    sqs_backends[account.id][account.region].delete_message(queue_arn.rsplit(":", 1)[-1], receipt_handle)


def make_visible(account: Account, queue_arn: str, receipt_handle: str) -> None:
    sqs_backends[account.id][account.region].change_message_visibility(
        queue_arn.rsplit(":", 1)[-1], receipt_handle, 0
    )


def install(account: Account, on_arrival: Callable[[str], None]) -> None:
    """Tell `on_arrival` the ARN of a queue that got a message or a mapping; moto itself triggers nothing."""

    def add_message(queue: Queue, message: Message) -> None:
        original_add(queue, message)
        on_arrival(queue.queue_arn)

    def create_mapping(backend: Any, spec: dict[str, Any]) -> Any:
        mapping = original_create(backend, spec)
        on_arrival(mapping.event_source_arn)
        return mapping

    def visible(message: Message) -> bool:
        return bool(
            unix_time_millis() >= message.visible_at
        )  # moto's > never comes true while the clock stands

    backend_type = type(lambda_backends[account.id][account.region])
    original_add = replace(account, Queue, "add_message", add_message)
    original_create = replace(account, backend_type, "create_event_source_mapping", create_mapping)
    replace(account, Message, "visible", property(visible))
    # add_message walks these mappings and invokes on the spot: it must find none.
    no_mappings = property(lambda _: {}, lambda _, __: None)
    setattr(Queue, "lambda_event_source_mappings", no_mappings)  # noqa: B010 - mypy knows an attribute
    account.on_close(lambda: delattr(Queue, "lambda_event_source_mappings"))


def _queue(account: Account, queue_arn: str) -> Queue | None:
    return sqs_backends[account.id][account.region].queues.get(queue_arn.rsplit(":", 1)[-1])


def _record(message: Message, queue: Queue) -> dict[str, Any]:
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    if queue.fifo_queue:
        attributes |= {
            "MessageGroupId": str(message.group_id),
            "MessageDeduplicationId": str(message.deduplication_id),
            "SequenceNumber": str(message.sequence_number),
        }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.message_attributes.items()
        },
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.queue_arn,
        "awsRegion": queue.region,
    }
