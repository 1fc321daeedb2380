"""Where the commands read from and act on: a deployment in AWS, an account that a rehearsal left up, or its ledger."""

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


def outputs_of(cloudformation: Any, stack: str, unless: str) -> dict[str, str]:
    """A stack's outputs; `unless` says what to do if there is no such stack."""
    from botocore.exceptions import ClientError  # late: reading a ledger needs no AWS library

    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        region = cloudformation.meta.region_name
        raise CommandError(f"the stack {stack} is not deployed in {region}; {unless}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


class Aws:
    """The deployment itself, with the caller's own credentials."""

    def __init__(self, names: Names, region: str) -> None:
        self.names = names
        self.region = region

    def client(self, service: str) -> Any:
        import boto3  # late: reading a ledger needs no AWS library

        return boto3.client(service, region_name=self.region)

    def ledger_table(self) -> str:
        unless = f"push, or `make deploy ENV={self.names.environment}`"
        return outputs_of(self.client("cloudformation"), self.names.stack("storage"), unless)["LedgerTable"]

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
