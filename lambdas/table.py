"""One DynamoDB table of items {pk, sk, body}: `body` is JSON text; conditions decide who was first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lambdas import aws

ONLY_NEW = {"ConditionExpression": "attribute_not_exists(pk)"}
LOST = {"None", "ConditionalCheckFailed", "TransactionConflict"}
"""Why a transaction is cancelled when somebody else was faster; any other code is an error."""


class Table:
    """Reads are consistent; a write that lost to another one says so."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._dynamodb = aws.client("dynamodb")

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        answer = self._dynamodb.get_item(TableName=self._table, Key=key(pk, sk), ConsistentRead=True)
        found: dict[str, Any] | None = answer.get("Item")
        return found

    def _body(self, pk: str, sk: str) -> dict[str, Any] | None:
        found = self._get(pk, sk)
        return None if found is None else json.loads(found["body"]["S"])

    def _put(self, pk: str, sk: str, body: Any) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=item(pk, sk, body))

    def _put_if(self, **put: Any) -> bool:
        """Put an item; False if its condition did not hold."""
        try:
            self._dynamodb.put_item(TableName=self._table, **put)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _query(self, pk: str, *, prefix: str = "") -> Iterator[dict[str, Any]]:
        """The items of a partition whose sort key begins with `prefix`, in order."""
        wanted = {":pk": {"S": pk}} | ({":sk": {"S": prefix}} if prefix else {})
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk" + (" AND begins_with(sk, :sk)" if prefix else ""),
            ExpressionAttributeValues=wanted,
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]

    def _bodies(self, pk: str) -> list[dict[str, Any]]:
        return [json.loads(found["body"]["S"]) for found in self._query(pk)]

    def _transact(self, *actions: dict[str, Any]) -> bool:
        """All of the actions or none; False if a condition did not hold."""
        named = [{verb: {"TableName": self._table, **what}} for one in actions for verb, what in one.items()]
        try:
            self._dynamodb.transact_write_items(TransactItems=named)
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            if {reason["Code"] for reason in error.response["CancellationReasons"]} <= LOST:
                return False
            raise
        return True

    def _delete(self, pk: str, sk: str) -> None:
        self._dynamodb.delete_item(TableName=self._table, Key=key(pk, sk))

    def _delete_if(self, pk: str, sk: str, **condition: Any) -> bool:
        """Delete an item; False if it is another one by now."""
        try:
            self._dynamodb.delete_item(TableName=self._table, Key=key(pk, sk), **condition)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


def key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def text_of(body: Any) -> str:
    return json.dumps(body, sort_keys=True)


def item(pk: str, sk: str, body: Any) -> dict[str, Any]:
    return {**key(pk, sk), "body": {"S": text_of(body)}}


def still(body: Any) -> dict[str, Any]:
    """The condition that nobody changed this body in between."""
    return {
        "ConditionExpression": "body = :was",
        "ExpressionAttributeValues": {":was": {"S": text_of(body)}},
    }
