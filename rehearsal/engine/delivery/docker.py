"""`docker` in a build: images are built from their Dockerfile's own steps into a directory, and pushed to ECR.

Where the machine has a container engine, it builds them too, and its id is what ECR knows them by: a
Dockerfile that does not build fails the push. What runs is the directory all the same.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.engine import images, roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery.builds import SERVICE
from rehearsal.engine.delivery.shims import Answer, Command, Tool

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

ENGINES = ("docker", "podman")
ANSWERS_WITHIN_SECONDS = 20
PUSH_VERBS = (
    "BatchCheckLayerAvailability",
    "InitiateLayerUpload",
    "UploadLayerPart",
    "CompleteLayerUpload",
    "PutImage",
)


class BuildFailed(Exception):
    """The container engine could not build the image; the message is what it said."""


def engine_of_this_machine() -> str:
    """The path of docker or podman, whichever answers first; nothing if none does."""
    found = (shutil.which(name) for name in ENGINES)
    return next((path for path in found if path and _answers(path)), "")


def _answers(engine: str) -> bool:
    try:
        done = subprocess.run(
            [engine, "info"], capture_output=True, check=False, timeout=ANSWERS_WITHIN_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def tool(account: Account, engine: str = "") -> Tool:
    """A docker of its own: it knows the images that it built, until they are pushed. `engine` builds them too."""
    built: dict[str, str] = {}

    def docker(command: Command) -> Answer:
        arguments = list(command.argv[1:])
        account.journal.write("tool", tool="docker", arguments=arguments[:2])
        match arguments:
            case ["login", *_]:
                return Answer(out="Login Succeeded\n")
            case ["buildx", "build", *options]:
                try:
                    tag, digest = _build(account, command, options, engine)
                except BuildFailed as failed:
                    return Answer(1, err=str(failed))
                built[tag] = digest
                return Answer(out=f"{digest}\n")
            case ["push", tag] if tag in built:
                return _push(account, command, tag, built[tag])
            case [
                "buildx",
                "imagetools",
                "create",
                "--prefer-index=false",
                tag,
                source,
            ]:  # else it makes a list
                digest = images.resolve(account, source).uri.rsplit("@", 1)[1]
                return _push(account, command, tag.removeprefix("--tag="), digest)
        raise Unsupported(
            f"docker {' '.join(arguments[:3])}: not built; build it in rehearsal/engine/delivery/docker.py"
        )

    return docker


def _build(account: Account, command: Command, options: list[str], engine: str) -> tuple[str, str]:
    """How the image is packed does not matter in a directory; file, tag and context do."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--file", required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--platform")
    for of_docker_alone in ("--provenance", "--output"):
        parser.add_argument(of_docker_alone)
    parser.add_argument("context")
    given = parser.parse_args(options)
    real = _build_by(engine, command, options, given) if engine else None
    if real:
        account.journal.write("note", what=f"image {real[:19]}: built by {engine}; what runs is a directory")
    context, dockerfile = command.cwd / given.context, command.cwd / given.file
    return str(given.tag), images.assemble(account, context=context, dockerfile=dockerfile, digest=real)


def _build_by(engine: str, command: Command, options: list[str], given: argparse.Namespace) -> str:
    """Have the engine build the image; returns its id, which is a digest of all that is in it."""
    asked = ["buildx", "build", *options[:-1]]
    if Path(engine).name == "podman":
        platform = [f"--platform={given.platform}"] if given.platform else []
        asked = ["build", *platform, f"--file={given.file}", f"--tag={given.tag}"]
    with tempfile.TemporaryDirectory() as scratch:
        told = Path(scratch) / "id"
        done = subprocess.run(
            [engine, *asked, f"--iidfile={told}", given.context],
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(
                f"{done.stderr}\n{engine} could not build the image; to rehearse without it: "
                "make rehearse ARGS=--no-engine\n"
            )
        return told.read_text().strip()


def _push(account: Account, command: Command, tag: str, digest: str) -> Answer:
    uri, _, name = tag.rpartition(":")
    repository = uri.split("/", 1)[1]
    resource = f"arn:aws:ecr:{account.region}:{account.id}:repository/{repository}"
    for verb in PUSH_VERBS:
        if refused := roles.refusal(account, command.role_arn, SERVICE, f"ecr:{verb}", resource):
            return Answer(1, err=f"denied: {refused}\n")
    images.register(account, repository=repository, tag=name, digest=digest)
    return Answer(out=f"{name}: digest: {digest}\n")
