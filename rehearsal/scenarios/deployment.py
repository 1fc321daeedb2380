"""Bring Tideline up in the local account by the steps of a person with an AWS account."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from config.schema import Config
from domain.names import WITHOUT_WHEELS, Names, Prefix
from rehearsal.engine import Account, images
from rehearsal.engine.cloudformation import assembly

ROOT = Path(__file__).resolve().parents[2]


def synthesise(outdir: Path, repository: Path = ROOT) -> Path:
    """Run the app as the CDK CLI does, from cdk.json; return the assembly."""
    settings = json.loads((repository / "cdk.json").read_text())
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir.resolve()),
        "CDK_CONTEXT_JSON": json.dumps(settings["context"]),
        WITHOUT_WHEELS: "yes",  # functions run with this machine's packages
        "CDK_VALIDATION": "false",  # `make test` runs the rules; a rehearsal need not run them again
    }
    done = subprocess.run(
        settings["app"].split(), cwd=repository, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the app does not synthesise:\n{done.stderr or done.stdout}")
    return outdir


@dataclass(frozen=True)
class Deployment:
    """One environment of Tideline, deployed into the local account."""

    account: Account
    config: Config
    directory: Path
    """The environment's own cloud assembly."""
    repository: Path = ROOT
    """What the image is built from."""

    @property
    def names(self) -> Names:
        return Names(self.config.name, self.config.environment)

    def deploy(self) -> None:
        """`cdk deploy '<environment>/*'`."""
        assembly.deploy(self.account, self.directory)

    def push_image(self, checkout: Path = ROOT, *, tag: str = "rehearsal") -> str:
        """Build the image from its Dockerfile, push it, and deploy Training with its digest."""
        uri = images.build(
            self.account,
            context=checkout,
            dockerfile=checkout / "training" / "Dockerfile",
            repository=self.names.image_repository,
            tag=tag,
        )
        digest = uri.rsplit("@", 1)[1]
        training = self.names.stack("training")
        assembly.deploy(
            self.account, self.directory, only=[training], parameters={training: {"Image": digest}}
        )
        return digest

    def upload_history(self, tables: list[Path]) -> None:
        for table in tables:
            key = f"{Prefix.HISTORY}{table.name}"
            self.account.client("s3").put_object(Bucket=self.bucket("Data"), Key=key, Body=table.read_bytes())

    def bucket(self, logical_id: str) -> str:
        """The physical name of one of Storage's buckets."""
        return self.physical_id("storage", logical_id, "AWS::S3::Bucket")

    def physical_id(self, part: str, logical_prefix: str, resource_type: str) -> str:
        stack = self.names.stack(part)
        found = self.account.client("cloudformation").describe_stack_resources(StackName=stack)[
            "StackResources"
        ]
        for resource in found:
            if (
                resource["LogicalResourceId"].startswith(logical_prefix)
                and resource["ResourceType"] == resource_type
            ):
                return str(resource["PhysicalResourceId"])
        raise LookupError(
            f"stack {stack} has no {resource_type} whose logical id starts with {logical_prefix}"
        )

    def call(self, handler: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a deployed function as an operator does; raises with the function's own error."""
        answer = self.account.client("lambda").invoke(
            FunctionName=self.names.function(handler), Payload=json.dumps(event).encode()
        )
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RuntimeError(f"{handler}: {body.get('errorType')}: {body.get('errorMessage')}")
        return dict(body)

    def read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bytes(self.account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())

    def read_json(self, uri: str) -> Any:
        return json.loads(self.read(uri))

    def ledger(self) -> list[dict[str, Any]]:
        """Every item of the ledger: {pk, sk, ...} with `body` decoded; none while Storage is not there."""
        try:
            table = self.physical_id("storage", "Ledger", "AWS::DynamoDB::Table")
        except (LookupError, ClientError):
            return []
        pages = self.account.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        items = [item for page in pages for item in page["Items"]]
        return sorted((_plain(item) for item in items), key=lambda item: (item["pk"], item["sk"]))

    def ledger_bodies(self, pk: str) -> list[dict[str, Any]]:
        return [item["body"] for item in self.ledger() if item["pk"] == pk]


def _plain(item: dict[str, dict[str, str]]) -> dict[str, Any]:
    plain: dict[str, Any] = {name: next(iter(value.values())) for name, value in item.items()}
    if "body" in plain:
        plain["body"] = json.loads(plain["body"])
    return plain
