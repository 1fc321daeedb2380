"""`docker` in a build: images are built from their Dockerfile's own steps into a directory, and pushed to ECR."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rehearsal.engine import images, roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery.builds import SERVICE
from rehearsal.engine.delivery.shims import Answer, Command, Tool

if TYPE_CHECKING:
    from rehearsal.engine.account import Account
PUSH_VERBS = (
    "BatchCheckLayerAvailability",
    "InitiateLayerUpload",
    "UploadLayerPart",
    "CompleteLayerUpload",
    "PutImage",
)


def tool(account: Account) -> Tool:
    """A docker of its own: it knows the images that it built, until they are pushed."""
    built: dict[str, str] = {}

    def docker(command: Command) -> Answer:
        arguments = list(command.argv[1:])
        account.journal.write("tool", tool="docker", arguments=arguments[:2])
        match arguments:
            case ["login", *_]:
                return Answer(out="Login Succeeded\n")
            case ["buildx", "build", *options]:
                tag, digest = _build(account, command, options)
                built[tag] = digest
                return Answer(out=f"{digest}\n")
            case ["push", tag] if tag in built:
                return _push(account, command, tag, built[tag])
            case ["buildx", "imagetools", "create", tag, source]:
                digest = images.resolve(account, source).uri.rsplit("@", 1)[1]
                return _push(account, command, tag.removeprefix("--tag="), digest)
        raise Unsupported(
            f"docker {' '.join(arguments[:3])}: not built; build it in rehearsal/engine/delivery/docker.py"
        )

    return docker


def _build(account: Account, command: Command, options: list[str]) -> tuple[str, str]:
    """How the image is packed does not matter here; file, tag and context do."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--file", required=True)
    parser.add_argument("--tag", required=True)
    for ignored in ("--provenance", "--platform", "--output"):
        parser.add_argument(ignored)
    parser.add_argument("context")
    given = parser.parse_args(options)
    context = command.cwd / given.context
    return str(given.tag), images.assemble(account, context=context, dockerfile=command.cwd / given.file)


def _push(account: Account, command: Command, tag: str, digest: str) -> Answer:
    uri, _, name = tag.rpartition(":")
    repository = uri.split("/", 1)[1]
    resource = f"arn:aws:ecr:{account.region}:{account.id}:repository/{repository}"
    for verb in PUSH_VERBS:
        if refused := roles.refusal(account, command.role_arn, SERVICE, f"ecr:{verb}", resource):
            return Answer(1, err=f"denied: {refused}\n")
    images.register(account, repository=repository, tag=name, digest=digest)
    return Answer(out=f"{name}: digest: {digest}\n")
