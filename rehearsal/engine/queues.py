"""Lambda's SQS event source mappings: receive a batch, invoke, delete what succeeded, retry or dead-letter the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine import functions, roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.function_roles import LAMBDA, POLLING
from rehearsal.engine.functions import Outcome
from rehearsal.engine.moto_seams import functions as function_seam
from rehearsal.engine.moto_seams import queues as seam
from rehearsal.engine.moto_seams.queues import Mapping

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

_waiting: WeakKeyDictionary[Account, set[str]] = (
    WeakKeyDictionary()
)  # mappings with a poll on the queue of work


def install(account: Account) -> None:
    _waiting[account] = set()
    seam.install(account, lambda queue_arn: _defer_polls(account, queue_arn))


def poll_all(account: Account) -> None:
    """Poll each mapped queue that has something to receive: time has passed, messages may be visible again."""
    for mapping in seam.mappings(account):
        if seam.has_visible_messages(account, mapping.queue_arn):
            _defer_poll(account, mapping)


def _defer_polls(account: Account, queue_arn: str) -> None:
    for mapping in seam.mappings(account, queue_arn):
        _defer_poll(account, mapping)


def _defer_poll(account: Account, mapping: Mapping) -> None:
    if mapping.uuid not in _waiting[account]:
        _waiting[account].add(mapping.uuid)
        account.defer(f"poll {mapping.queue_arn}", lambda: _poll(account, mapping))


def _poll(account: Account, mapping: Mapping) -> None:
    """One receive and one invocation; polls again while there is more to receive."""
    _waiting[account].discard(mapping.uuid)
    if mapping not in seam.mappings(account, mapping.queue_arn):
        return  # disabled, changed or deleted since
    refusal = _refusal(account, mapping)
    queue = mapping.queue_arn.rsplit(":", 1)[-1]
    if refusal:
        account.journal.write("delivery", rule=queue, target=mapping.function_arn, ok=False, error=refusal)
        return
    batch = seam.receive(account, mapping.queue_arn, mapping.batch_size)
    for message_id in batch.dead_lettered:
        name = mapping.function_arn.rsplit(":", 1)[-1]
        account.journal.write(
            "dead-letter", queue=batch.dead_letter_queue, function=name, event_id=message_id
        )
    if batch.records:
        outcome = functions.invoke(account, mapping.function_arn, {"Records": batch.records})
        if account.at_least_once.happens():  # the same messages are received once more
            account.journal.write("echo", delivery=f"receive {queue}")
            outcome = functions.invoke(account, mapping.function_arn, {"Records": batch.records})
        _settle(account, mapping, batch.records, _failed(mapping, batch.records, outcome))
    if seam.has_visible_messages(account, mapping.queue_arn):
        _defer_poll(account, mapping)


def _refusal(account: Account, mapping: Mapping) -> str | None:
    if mapping.has_filter:
        raise Unsupported(
            f"FilterCriteria on the event source mapping of {mapping.function_arn}: build it in "
            "rehearsal/engine/queues.py."
        )
    function = function_seam.find(account, mapping.function_arn)
    if function is None:
        return f"the function {mapping.function_arn} does not exist"
    found = (
        roles.refusal(account, function.role_arn, LAMBDA, action, mapping.queue_arn) for action in POLLING
    )
    return next((refusal for refusal in found if refusal), None)


def _failed(mapping: Mapping, records: list[dict[str, Any]], outcome: Outcome) -> set[str]:
    """The ids of the messages that were not processed; a malformed report fails the whole batch, as documented."""
    everything = {record["messageId"] for record in records}
    if not outcome.ok:
        return everything
    if not mapping.reports_item_failures or not outcome.payload:
        return set()
    failures = outcome.payload.get("batchItemFailures") if isinstance(outcome.payload, dict) else None
    if failures is None:
        return set()
    reported = {str(item.get("itemIdentifier")) if isinstance(item, dict) else "" for item in failures}
    return reported if reported <= everything else everything


def _settle(account: Account, mapping: Mapping, records: list[dict[str, Any]], failed: set[str]) -> None:
    """Delete what succeeded. What failed is received again at once if a redrive policy ends that, else in its time."""
    retry_now = seam.has_dead_letter_queue(account, mapping.queue_arn)
    for record in records:
        if record["messageId"] not in failed:
            seam.delete(account, mapping.queue_arn, record["receiptHandle"])
        elif retry_now:
            seam.make_visible(account, mapping.queue_arn, record["receiptHandle"])
