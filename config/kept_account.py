"""How to reach a rehearsal's account that is kept up: written by the rehearsal, read by the operator's commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = "account.json"


def environment(endpoint_url: str, region: str) -> dict[str, str]:
    """What the AWS CLI and boto3 read. There, any key that is no role's is an administrator; this one is no secret."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "AKIAREHEARSALADMIN00",
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def write(directory: Path, variables: Mapping[str, str]) -> Path:
    path = directory / FILE
    path.write_text(json.dumps(variables, indent=1))
    return path


def read(directory: Path) -> dict[str, str] | None:
    """The variables of the account that is up for this rehearsal; None if none is."""
    path = directory / FILE
    return dict(json.loads(path.read_text())) if path.exists() else None
