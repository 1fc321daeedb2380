"""Where the commands read from and act on: a deployment in AWS, or a kept rehearsal (reading only)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from domain.names import Names


class CommandError(Exception):
    """A command that cannot be carried out; the message says what to do."""


class Source(Protocol):
    def bodies(self, pk: str) -> list[dict[str, Any]]:
        """What the ledger holds under one partition key, in order."""


@dataclass(frozen=True)
class KeptRehearsal:
    """The ledger that a rehearsal left behind."""

    directory: Path

    def bodies(self, pk: str) -> list[dict[str, Any]]:
        path = self.directory / "ledger.json"
        if not path.exists():
            raise CommandError(f"{path}: no such file; run `make rehearse` first")
        return [item["body"] for item in json.loads(path.read_text()) if item["pk"] == pk and "body" in item]


class Aws:
    """The deployment itself, with the caller's own credentials."""

    def __init__(self, names: Names, region: str) -> None:
        self.names = names
        self.region = region

    def client(self, service: str) -> Any:
        import boto3  # late: reading a kept rehearsal needs no AWS library

        return boto3.client(service, region_name=self.region)

    def ledger_table(self) -> str:
        stack = self.client("cloudformation").describe_stacks(StackName=self.names.stack("storage"))[
            "Stacks"
        ][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        return str(outputs["LedgerTable"])

    def bodies(self, pk: str) -> list[dict[str, Any]]:
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.ledger_table(),
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": pk}},
            )
        )
        return [json.loads(item["body"]["S"]) for page in pages for item in page["Items"] if "body" in item]
