"""The typed configuration of the delivery pipeline: where a push comes from, and which environments it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from config.schema import (
    DELIVERY_FILE,
    ROOT,
    Config,
    ConfigError,
    load_environments,
    read_yaml,
    sentence,
)
from config.values import BoundaryArn, Email, Name, Part, Region

Glob = Annotated[str, Field(min_length=1)]
Some = Annotated[list[Glob], Field(min_length=1, max_length=8)]
Globs = Annotated[list[Glob], Field(default_factory=list, max_length=8)]
Branch = Annotated[str, Field(pattern=r"^\w[\w./-]*$", max_length=255)]


class PullRequests(Part):
    """Pull requests that are checked, by a pipeline of their own: nothing of theirs is built or deployed."""

    branches: Some
    """The branches into which they go."""
    paths: Globs


class Connection(Part):
    """A repository at GitHub, GitLab or Bitbucket, through CodeConnections."""

    connection_arn: Annotated[
        str,
        Field(pattern=r"^arn:[\w-]+:(codeconnections|codestar-connections):[\w-]+:\d{12}:connection/[\w-]+$"),
    ]
    repository: Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)+$")]
    branch: Branch = "main"
    paths: Globs
    """Only a push that touches one of these starts the pipeline; all do if there is none."""
    ignored_paths: Globs
    pull_requests: PullRequests | None = None


class CodeCommit(Part):
    repository: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")]
    branch: Branch = "main"


class S3Zip(Part):
    """A zip of the commit. Without a bucket the stack makes one: the only source that needs nothing beforehand."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    """A brought bucket must keep versions and send its events to EventBridge."""
    key: Annotated[str, Field(pattern=r"^\w[\w./-]*\.zip$", max_length=200)] = "source.zip"


class Source(Part):
    """Exactly one of the three; an S3 zip if none is named."""

    connection: Connection | None = None
    codecommit: CodeCommit | None = None
    s3: S3Zip | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"one source is allowed: connection, codecommit or s3; got {', '.join(given)}")
        return self


class Delivery(Part):
    """One pipeline for one model: the environments in the order in which a push goes through them."""

    name: Name
    """Whose environments: their `name`."""
    region: Region = "us-east-1"
    """It must be that of the environments."""
    environments: Annotated[
        list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,9}$")]],
        Field(default_factory=lambda: ["dev"], min_length=1),
    ]
    """What a push goes through, in order; prod only if you name it."""
    execution: Literal["superseded", "queued"] = "superseded"
    """What a second push does while the first is on its way: overtake what waits before a stage, or stand in line."""
    wait_days: Annotated[int, Field(ge=1, le=7)] = 2
    """How long a push waits for the release of the model that it had trained; then it fails."""
    log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365] = 90
    """Of the builds' logs."""
    notify_email: Email | None = None
    """Who is told when a push fails."""
    permissions_boundary_arn: BoundaryArn | None = None
    """On every role."""
    source: Source = Source()
    """One of the three; an S3 zip if none is named."""


def load_delivery(
    directory: Path = ROOT / "config", environments: Sequence[Config] | None = None
) -> Delivery | None:
    """Read `delivery.yaml`; without that file there is no pipeline.

    `environments` are those of the same directory if they are not given. Raises ConfigError naming each key that is
    wrong, and each environment that is not among them.
    """
    path = directory / DELIVERY_FILE
    if not path.exists():
        return None
    try:
        delivery = Delivery.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigError("\n".join(sentence(path, one) for one in error.errors())) from None
    known = load_environments(directory) if environments is None else environments
    there = {config.environment: config for config in known if config.name == delivery.name}
    for environment in delivery.environments:
        if environment not in there:
            raise ConfigError(
                f"{path}: environments: got {environment!r}; allowed: {', '.join(sorted(there)) or 'none'}, the "
                f"environments of {delivery.name!r} that have a file beside it"
            )
        if there[environment].region != delivery.region:
            raise ConfigError(
                f"{path}: region: got {delivery.region!r}, but {environment} is in {there[environment].region!r}; "
                "a pipeline delivers within its own region: give each region a copy of its own"
            )
    return delivery
