"""Telling people: each thing once, unless a crash between telling and noting it makes it twice."""

from __future__ import annotations

from lambdas import aws
from lambdas.ledger import Ledger

SUBJECT_LIMIT = 100  # SNS refuses a longer subject


def tell(ledger: Ledger, topic_arn: str, *, about: str, subject: str, message: str) -> None:
    """Publish to the topic, unless the ledger says that people know about this already."""
    if ledger.was_told(about):
        return
    aws.client("sns").publish(TopicArn=topic_arn, Subject=subject[:SUBJECT_LIMIT], Message=message)
    ledger.mark_told(about)
