"""Build the image with docker, push it to the deployment's repository, answer with its digest."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

from cli.source import Aws, CommandError


def build_and_push(aws: Aws, root: Path) -> str:
    """Returns sha256:...; the repository's tags are immutable, so the tag is the content."""
    if shutil.which("docker") is None:
        raise CommandError(
            "docker is needed to build the image and was not found; install it, or let the pipeline build"
        )
    ecr = aws.client("ecr")
    repository = ecr.describe_repositories(repositoryNames=[aws.names.image_repository])["repositories"][0][
        "repositoryUri"
    ]
    tag = content_tag(root)
    known = ecr.batch_get_image(repositoryName=aws.names.image_repository, imageIds=[{"imageTag": tag}])[
        "images"
    ]
    if known:
        return str(known[0]["imageId"]["imageDigest"])
    token = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
    _run(["docker", "login", "--username", user, "--password-stdin", token["proxyEndpoint"]], stdin=password)
    image = f"{repository}:{tag}"
    # SageMaker takes Docker manifests, not OCI indexes with attestations.
    options = ["--provenance=false", "--platform=linux/amd64", "--output=type=docker"]
    _run(
        [
            "docker",
            "buildx",
            "build",
            *options,
            f"--file={root}/training/Dockerfile",
            f"--tag={image}",
            str(root),
        ]
    )
    _run(["docker", "push", image])
    pushed = ecr.batch_get_image(repositoryName=aws.names.image_repository, imageIds=[{"imageTag": tag}])[
        "images"
    ][0]
    if "docker.distribution.manifest" not in pushed.get("imageManifestMediaType", ""):
        raise CommandError(
            f"the image was pushed as {pushed.get('imageManifestMediaType')}; SageMaker takes Docker's own manifests: "
            "update docker buildx, or turn containerd's image store off"
        )
    return str(pushed["imageId"]["imageDigest"])


def content_tag(root: Path) -> str:
    """A tag that names what goes into the image, committed or not: an edited model.py is another image."""
    files = [root / "requirements" / name for name in ("image.txt", "uv.txt")]
    for folder in ("domain", "training"):
        files += sorted(
            path for path in (root / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"
        )
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _run(command: list[str], *, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
