"""An archive from elsewhere, read within limits: nothing in it reaches the disk, and none can fill the memory."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

MAX_BYTES = 512 * 1024 * 1024
"""Of one file of an archive."""
HEADER_BYTES = 128 * 1024
"""What an archive may unpack to beside its files: headers, padding, the end."""
BLOCK, CHUNK = 512, 1024 * 1024


class ArchiveError(Exception):
    """An archive that is not opened; the message says what is in it and what is allowed."""


@dataclass(frozen=True)
class Digest:
    """The content of a file, as SHA-256 in hexadecimal digits, and its size.

    >>> Digest.of(b"abc").text()
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad:3'
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Digest:
        return cls(hashlib.sha256(content).hexdigest(), len(content))

    @classmethod
    def of_stream(cls, stream: IO[bytes]) -> Digest:
        """Of what is left in a stream, a piece at a time."""
        found, size = hashlib.sha256(), 0
        while chunk := stream.read(CHUNK):
            found.update(chunk)
            size += len(chunk)
        return cls(found.hexdigest(), size)

    def text(self) -> str:
        return f"{self.sha256}:{self.size}"


class _Metered:
    """What an archive unpacks to, up to a budget: files add to it once their names and sizes were allowed."""

    def __init__(self, stream: gzip.GzipFile, what: str) -> None:
        self._stream, self._what, self.budget = stream, what, HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self.budget -= len(chunk)
        if self.budget < 0:
            raise ArchiveError(
                f"{self._what} unpacks to more than its files: over {HEADER_BYTES} bytes of headers; refused"
            )
        return chunk


def read_files(archive: IO[bytes], *, allowed: Sequence[str], what: str) -> dict[str, bytes]:
    """The files of a .tar.gz by name: exactly the allowed ones, each once. Raises ArchiveError for any other."""
    return {name: content.read() for name, content in _files(archive, allowed, what)}


class _Hashed:
    """A stream that notes all that is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._found, self._size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self._found.update(chunk)
        self._size += len(chunk)
        return chunk

    def digest(self) -> Digest:
        """Of the whole: what nobody has read yet is read now."""
        while self.read(CHUNK):
            pass
        return Digest(self._found.hexdigest(), self._size)


def inspect(archive: IO[bytes], *, allowed: Sequence[str], what: str) -> tuple[Digest, dict[str, Digest]]:
    """The digest of the archive and of each file in it, in one reading: no file is held in memory."""
    hashed: Any = _Hashed(archive)  # gzip only reads from it
    files = {name: Digest.of_stream(content) for name, content in _files(hashed, allowed, what)}
    return hashed.digest(), files


def _files(archive: IO[bytes], allowed: Sequence[str], what: str) -> Iterator[tuple[str, IO[bytes]]]:
    seen: set[str] = set()
    try:
        with gzip.GzipFile(fileobj=archive) as unpacked:
            metered: Any = _Metered(unpacked, what)  # tarfile only reads from it
            with tarfile.open(fileobj=metered, mode="r|") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    if member.isdir() and name in ("", "."):
                        continue
                    _require(member, name, allowed, seen, what)
                    seen.add(name)
                    metered.budget += member.size + BLOCK
                    content = tar.extractfile(member)
                    assert content is not None  # only None for what is no file
                    yield name, content
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{what} is no intact .tar.gz: {type(error).__name__}: {error}") from error
    if missing := sorted(set(allowed) - seen):
        raise ArchiveError(f"{what} lacks {', '.join(missing)}; it is no model that train wrote")


def _require(member: tarfile.TarInfo, name: str, allowed: Sequence[str], seen: set[str], what: str) -> None:
    if not member.isreg() or member.issparse() or name not in allowed or name in seen:
        raise ArchiveError(
            f"{what} holds {member.name[:200]!r}, allowed are the plain files {', '.join(allowed)}, each once"
        )
    if member.size > MAX_BYTES:
        raise ArchiveError(f"{what}: {name} has {member.size} bytes, allowed are {MAX_BYTES}")
