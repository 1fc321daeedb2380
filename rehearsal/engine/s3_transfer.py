"""Moves a job's data between S3 and its directory, with the job role's own client."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError


class DataError(Exception):
    """A transfer failed; the message is what FailureReason shows."""


def split(uri: str) -> tuple[str, str]:
    """The bucket and the key of an s3:// URI."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise DataError(f"ClientError: {uri!r} is not an s3://bucket/key URI")
    return parts.netloc, parts.path.lstrip("/")


def encryption(kms_key_id: str | None) -> dict[str, str]:
    """How a request names the key of what it writes."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id} if kms_key_id else {}


@dataclass(frozen=True)
class Transfer:
    """S3 as one role sees it."""

    s3: Any
    role_arn: str
    region: str

    def download(self, uri: str, data_type: str, target: Path) -> None:
        """Put what `uri` names under `target`; nothing there is an error, as on AWS."""
        target.mkdir(parents=True, exist_ok=True)
        try:
            found = list(self._manifest(uri) if data_type == "ManifestFile" else self._prefix(uri))
            if not found:
                raise DataError(self._nothing_under(uri))
            for bucket, key, name in found:
                file = target / name
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as target_file:
                    shutil.copyfileobj(self.s3.get_object(Bucket=bucket, Key=key)["Body"], target_file)
        except ClientError as error:
            raise DataError(f"ClientError: Data download failed: {uri}: {error}") from error

    def read(self, uri: str) -> bytes:
        bucket, key = split(uri)
        try:
            body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise DataError(f"ClientError: {uri}: {error}") from error
        return body

    def write(self, uri: str, body: bytes, kms_key_id: str | None = None) -> None:
        bucket, key = split(uri)
        try:
            self.s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption(kms_key_id))
        except ClientError as error:
            raise DataError(f"ClientError: Data upload failed: {uri}: {error}") from error

    def upload(self, directory: Path, uri: str, kms_key_id: str | None = None) -> None:
        """Every file under `directory`, to the same names under `uri`."""
        for file in files_in(directory):
            name = file.relative_to(directory).as_posix()
            self.write(f"{uri.rstrip('/')}/{name}", file.read_bytes(), kms_key_id)

    def _prefix(self, uri: str) -> Iterator[tuple[str, str, str]]:
        """Objects whose key starts with the prefix, named from the prefix's last folder on."""
        bucket, prefix = split(uri)
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                key = item["Key"]
                folder = prefix if key.startswith(f"{prefix.rstrip('/')}/") else prefix.rpartition("/")[0]
                if not key.endswith("/"):
                    yield bucket, key, key.removeprefix(folder).lstrip("/")

    def _manifest(self, uri: str) -> Iterator[tuple[str, str, str]]:
        """The documented form: [{"prefix": "s3://bucket/folder/"}, "a.csv", "deeper/b.csv"]."""
        try:
            head, *names = json.loads(self.read(uri))
            bucket, folder = split(head["prefix"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"ClientError: Data download failed: {uri} is not a manifest: "
                f'expected [{{"prefix": "s3://bucket/folder/"}}, "name", ...]'
            ) from error
        for name in names:
            yield bucket, folder + name, name

    def _nothing_under(self, uri: str) -> str:
        return (
            f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in input data '
            f"source. Please ensure that the bucket exists in the selected region ({self.region}), that objects "
            f'exist under that S3 prefix, and that the role "{self.role_arn}" has "s3:ListBucket" permissions '
            f'on bucket "{split(uri)[0]}".'
        )


def files_in(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file()) if directory.is_dir() else []


def tar_gz(directory: Path) -> bytes:
    """The directory as a .tar.gz whose bytes depend on names and contents only."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w") as archive:
            for file in files_in(directory):
                entry = tarfile.TarInfo(file.relative_to(directory).as_posix())
                entry.size = file.stat().st_size
                entry.mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
                with file.open("rb") as content:
                    archive.addfile(entry, content)
    return buffer.getvalue()


def extract(archive: bytes, target: Path) -> None:
    """Unpack a .tar.gz; names that lead out of `target` are refused."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        opened.extractall(target, filter="data")
