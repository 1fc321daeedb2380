"""Build the image with docker, push it to the deployment's repository, judge its scan, answer with its digest."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cli.source import Aws, CommandError

SCAN_POLL_SECONDS, SCAN_POLLS = 5, 120
CRITICAL = "CRITICAL"


def build_and_push(aws: Aws, root: Path) -> str:
    """Returns sha256:...; the repository's tags are immutable, so the tag is the content."""
    ecr, repository, tag = aws.client("ecr"), aws.names.image_repository, content_tag(root)
    known = _image(ecr, repository, tag)
    if known is None:
        image = f"{_log_in(ecr, repository)}:{tag}"
        # SageMaker takes Docker manifests, not OCI indexes with attestations.
        options = ["--provenance=false", "--platform=linux/amd64", "--output=type=docker"]
        dockerfile = f"--file={root}/training/Dockerfile"
        _run(["docker", "buildx", "build", *options, dockerfile, f"--tag={image}", str(root)])
        _run(["docker", "push", image])
        known = _image(ecr, repository, tag)
    return _checked(ecr, repository, known)


def take_over(aws: Aws, source: Aws, root: Path) -> str:
    """The very image of another environment, by its digest: what was proved there is what runs here."""
    ecr, repository, tag = aws.client("ecr"), aws.names.image_repository, content_tag(root)
    known = _image(ecr, repository, tag)
    if known is None:
        theirs = _image(source.client("ecr"), source.names.image_repository, tag)
        if theirs is None:
            raise CommandError(
                f"{source.names.image_repository} has no image {tag}, the content of this commit; "
                f"build it there first: ./tideline --env {source.names.environment} image"
            )
        mine = _log_in(ecr, repository)
        there = _log_in(source.client("ecr"), source.names.image_repository)
        wanted = theirs["imageId"]["imageDigest"]
        as_it_is = "--prefer-index=false"  # or the copy is a list with one image in it, under another digest
        _run(
            ["docker", "buildx", "imagetools", "create", as_it_is, f"--tag={mine}:{tag}", f"{there}@{wanted}"]
        )
        known = _image(ecr, repository, tag)
        if known is None or known["imageId"]["imageDigest"] != wanted:
            raise CommandError(
                f"{wanted} arrived in {repository} as {known and known['imageId']}; allowed: itself"
            )
    return _checked(ecr, repository, known)


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


def _image(ecr: Any, repository: str, tag: str) -> dict[str, Any] | None:
    found = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    return dict(found[0]) if found else None


def _log_in(ecr: Any, repository: str) -> str:
    """Let docker push and pull; returns the repository's URI."""
    if shutil.which("docker") is None:
        raise CommandError(
            "docker is needed to build the image and was not found; install it, or let the pipeline build"
        )
    found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    token = ecr.get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(token["authorizationToken"]).decode().split(":", 1)
    _run(["docker", "login", "--username", user, "--password-stdin", token["proxyEndpoint"]], stdin=password)
    return str(found["repositoryUri"])


def _checked(ecr: Any, repository: str, image: dict[str, Any] | None) -> str:
    """The digest of an image that SageMaker takes and whose scan found nothing critical."""
    if image is None or "docker.distribution.manifest" not in image.get("imageManifestMediaType", ""):
        raise CommandError(
            f"the image was pushed as {image and image.get('imageManifestMediaType')}; SageMaker takes Docker's own "
            "manifests: update docker buildx, or turn containerd's image store off"
        )
    digest = str(image["imageId"]["imageDigest"])
    wanted = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    waiter = ecr.get_waiter("image_scan_complete")
    waiter.wait(**wanted, WaiterConfig={"Delay": SCAN_POLL_SECONDS, "MaxAttempts": SCAN_POLLS})
    found = ecr.describe_image_scan_findings(**wanted)["imageScanFindings"]
    critical = [one["name"] for one in found.get("findings", []) if one.get("severity") == CRITICAL]
    if critical:
        raise CommandError(
            f"{repository}@{digest}: the scan found {len(critical)} that are critical: {', '.join(critical[:10])}; "
            "allowed: none. Update the base image or the library, `make lock`, and build again"
        )
    return digest


def _run(command: list[str], *, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
