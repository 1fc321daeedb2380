"""Container images without a container engine: a Dockerfile's own steps, carried out into a directory.

RUN is not executed: the packages that it would install are those of the running environment.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.engine import dockerfile as docker
from rehearsal.engine.account import Account
from rehearsal.engine.image_builder import Builder, Config, Stage

URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/"
    r"(?P<repository>[^@:]+)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.-]+))"
)


class ImageNotFound(Exception):
    """The registry has no such image; the message names it."""


@dataclass(frozen=True)
class Image:
    """A built image: `directory` is its root, `notes` say what was not carried out."""

    uri: str
    directory: Path
    config: Config
    notes: tuple[str, ...]


def build(account: Account, *, context: Path, dockerfile: Path, repository: str, tag: str) -> str:
    """Build the image, register it in ECR under its digest, and return its URI by digest."""
    digest = assemble(account, context=context, dockerfile=dockerfile)
    register(account, repository=repository, tag=tag, digest=digest)
    return f"{account.id}.dkr.ecr.{account.region}.amazonaws.com/{repository}@{digest}"


def assemble(account: Account, *, context: Path, dockerfile: Path, digest: str | None = None) -> str:
    """Build the image into a directory of its own; returns its digest, which a container engine may have given."""
    with tempfile.TemporaryDirectory(dir=account.directory) as scratch:
        builder = Builder(context, Path(scratch))
        for instruction in docker.parse(dockerfile.read_text()):
            builder.carry_out(instruction)
        stage = builder.result(dockerfile)
        manifest = _manifest(stage)
        digest = digest or "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()
        _keep(account, stage, digest, manifest, builder.notes)
    for note in builder.notes:
        account.journal.write("note", what=f"image {digest[:19]}: {note}")
    return digest


def resolve(account: Account, image_uri: str) -> Image:
    """The image behind a URI (by digest or tag), as its ECR repository knows it."""
    match = URI.fullmatch(image_uri)
    if match is None or (match["account"], match["region"]) != (account.id, account.region):
        raise ImageNotFound(
            f"Requested image {image_uri} not found: the local account has only images of "
            f"{account.id}.dkr.ecr.{account.region}.amazonaws.com/<repository>@sha256:<digest>"
        )
    wanted = {"imageDigest": match["digest"]} if match["digest"] else {"imageTag": match["tag"]}
    try:
        found = account.client("ecr").describe_images(repositoryName=match["repository"], imageIds=[wanted])
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise ImageNotFound(f"Requested image {image_uri} not found: {reason}") from error
    directory = _directory(account, found["imageDetails"][0]["imageDigest"])
    if not directory.is_dir():
        raise ImageNotFound(
            f"Requested image {image_uri} is in ECR but was not built here: call images.build"
        )
    kept = json.loads((directory / "image.json").read_text())
    return Image(image_uri, directory / "root", Config(**kept["config"]), tuple(kept["notes"]))


def _contents(root: Path) -> Iterator[str]:
    """One line a file: its path, whether it can be executed, and the hash of what is in it."""
    for path in sorted(path for path in root.rglob("*") if path.is_symlink() or not path.is_dir()):
        content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        executable = not path.is_symlink() and bool(path.stat().st_mode & 0o100)
        yield f"{path.relative_to(root).as_posix()} {executable} {hashlib.sha256(content).hexdigest()}"


def _manifest(stage: Stage) -> str:
    """Docker's own manifest, as SageMaker wants it; it depends on nothing but the files and the configuration."""
    content = "\n".join(_contents(stage.root)).encode()
    config = json.dumps(asdict(stage.config), sort_keys=True).encode()
    docker_type = "application/vnd.docker"
    layer = {"mediaType": f"{docker_type}.image.rootfs.diff.tar.gzip", **_descriptor(content)}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{docker_type}.distribution.manifest.v2+json",
        "config": {"mediaType": f"{docker_type}.container.image.v1+json", **_descriptor(config)},
        "layers": [layer],
    }
    return json.dumps(manifest, sort_keys=True)


def _descriptor(content: bytes) -> dict[str, Any]:
    return {"digest": "sha256:" + hashlib.sha256(content).hexdigest(), "size": len(content)}


def _directory(account: Account, digest: str) -> Path:
    return account.directory / "images" / digest.removeprefix("sha256:")


def _keep(account: Account, stage: Stage, digest: str, manifest: str, notes: list[str]) -> None:
    directory = _directory(account, digest)
    if directory.is_dir():
        shutil.rmtree(directory)  # what ran from it may have left bytecode behind
    directory.mkdir(parents=True)
    shutil.move(stage.root, directory / "root")
    (directory / "image.json").write_text(json.dumps({"config": asdict(stage.config), "notes": notes}))
    (directory / "manifest.json").write_text(manifest)


def register(account: Account, *, repository: str, tag: str, digest: str) -> None:
    """Push an assembled image; a repository that scans on push scans it."""
    ecr, manifest = account.client("ecr"), (_directory(account, digest) / "manifest.json").read_text()
    try:
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag, imageDigest=digest)
    except ecr.exceptions.ImageAlreadyExistsException:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
        if found[0]["imageDigest"] != digest:  # else a push of what is there already, which changes nothing
            raise
        return
    found = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    if found["imageScanningConfiguration"]["scanOnPush"]:
        ecr.start_image_scan(repositoryName=repository, imageId={"imageDigest": digest})
