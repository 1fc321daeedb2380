"""What `make` asks before it deploys for a person: in a second, and not after a synth or half a deployment."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import Any

from cli.source import CommandError
from config.delivery import load_delivery
from config.schema import ROOT, ConfigError, load, load_environments

FOLDER = ROOT / "config"
LOG_IN = "log in (`aws sso login`, `aws configure`), or name a profile: AWS_PROFILE=..."


def region_of(environment: str | None) -> str:
    """Of an environment, or of the pipeline if none is named; raises where there is no file for it."""
    if environment:
        path = FOLDER / f"{environment}.yaml"
        if not path.exists():
            known = ", ".join(sorted(config.environment for config in load_environments(FOLDER)))
            raise CommandError(f"ENV={environment} has no {path}; there are: {known}; or copy one of theirs")
        return load(path).region
    delivery = load_delivery(FOLDER)
    if delivery is None:
        raise CommandError(
            f"{FOLDER}/delivery.yaml is not there, so there is no pipeline; `make deploy ENV=dev` deploys directly"
        )
    return delivery.region


def require_docker() -> None:
    if shutil.which("docker") is None:
        raise CommandError(
            "docker is needed to build the image and was not found; install it, name an image that is there "
            "(IMAGE=sha256:...), or let the pipeline build: `make pipeline`"
        )


def caller(region: str) -> dict[str, Any]:
    """Who the credentials belong to, as STS says."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(boto3.Session(region_name=region).client("sts").get_caller_identity())
    except (BotoCoreError, ClientError) as error:
        raise CommandError(f"AWS does not know you: {error}; {LOG_IN}") from None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make", description=__doc__)
    parser.add_argument("--env", help="the environment; without one it is about the pipeline")
    parser.add_argument("--docker", action="store_true", help="an image is going to be built here")
    args = parser.parse_args(argv)
    try:
        region = region_of(args.env)
        if args.docker:
            require_docker()
        who = caller(region)
    except (ConfigError, CommandError) as error:
        print(f"make: {error}", file=sys.stderr)
        return 2
    print(f"account {who['Account']}, {region}, as {who['Arn']}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
