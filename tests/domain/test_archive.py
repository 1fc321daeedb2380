"""Archives that somebody else may have made: none reaches the disk, and none fills the memory."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import Any

import pytest

from domain import archive
from domain.archive import ArchiveError, Digest, inspect, read_files

ALLOWED = ("model.onnx", "schema.json")
MIB = 1024 * 1024


def packed(*members: tuple[str, tarfile.TarInfo, bytes], **header: Any) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", **header) as tar:
        for name, member, content in members:
            member.name, member.size = name, len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(held.getvalue(), mtime=0)


def plain(name: str, size: int = 3) -> tuple[str, tarfile.TarInfo, bytes]:
    return name, tarfile.TarInfo(), b"x" * size


def special(name: str, kind: bytes, target: str = "") -> tuple[str, tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return name, info, b""


def read(content: bytes) -> dict[str, bytes]:
    return read_files(io.BytesIO(content), allowed=ALLOWED, what="model.tar.gz")


GOOD = packed(special("./", tarfile.DIRTYPE), plain("./model.onnx"), plain("schema.json", 4))
HOSTILE = {
    "a file lacks": (packed(plain("model.onnx")), "lacks schema.json"),
    "one more file": (packed(plain("model.onnx"), plain("evil.py")), "holds 'evil.py'"),
    "a way out": (packed(plain("../model.onnx")), "holds '../model.onnx'"),
    "from the root": (packed(plain("/model.onnx")), "holds '/model.onnx'"),
    "a link": (packed(special("model.onnx", tarfile.SYMTYPE, "/etc/passwd")), "holds 'model.onnx'"),
    "a hard link": (packed(special("model.onnx", tarfile.LNKTYPE, "/etc/passwd")), "holds 'model.onnx'"),
    "a device": (packed(special("model.onnx", tarfile.CHRTYPE)), "holds 'model.onnx'"),
    "a directory": (packed(special("model.onnx", tarfile.DIRTYPE)), "holds 'model.onnx'"),
    "the same twice": (packed(plain("model.onnx"), plain("./model.onnx")), "holds './model.onnx'"),
    "too large": (packed(plain("model.onnx", 11)), "model.onnx has 11 bytes, allowed are 10"),
    "a name of four MiB": (packed(plain("n" * 4 * MIB), format=tarfile.GNU_FORMAT), "bytes of headers"),
    "a header of four MiB": (
        packed(plain("model.onnx"), format=tarfile.PAX_FORMAT, pax_headers={"comment": "c" * 4 * MIB}),
        "bytes of headers",
    ),
    "many directories": (packed(*(special("./", tarfile.DIRTYPE) for _ in range(400))), "bytes of headers"),
    "cut off": (GOOD[:-20], "no intact"),
    "no archive": (b"not gzip", "no intact"),
    "gzip of something else": (gzip.compress(b"hello" * 200), "no intact"),
    "nothing": (b"", "no intact"),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_archive_is_refused_by_name(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10)
    content, reason = HOSTILE[kind]
    with pytest.raises(ArchiveError, match=reason.replace(".", r"\.")):
        read(content)
    with pytest.raises(ArchiveError, match=reason.replace(".", r"\.")):
        inspect(io.BytesIO(content), allowed=ALLOWED, what="model.tar.gz")


def test_a_sparse_file_is_refused() -> None:
    """A few bytes that say they are many."""
    info = tarfile.TarInfo("model.onnx")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    with pytest.raises(ArchiveError, match=r"holds|no intact"):
        read(gzip.compress(bytes(header) + b"\0" * 1024))


def test_an_archive_may_list_its_files_with_or_without_the_directory() -> None:
    assert read(GOOD) == {"model.onnx": b"xxx", "schema.json": b"xxxx"}
    assert read(packed(plain("schema.json"), plain("model.onnx"))).keys() == {"model.onnx", "schema.json"}


def test_one_reading_gives_the_digest_of_the_whole_and_of_each_file() -> None:
    whole, files = inspect(io.BytesIO(GOOD), allowed=ALLOWED, what="model.tar.gz")
    assert whole == Digest.of(GOOD)
    assert files == {"model.onnx": Digest.of(b"xxx"), "schema.json": Digest.of(b"xxxx")}


def test_what_stands_behind_the_archive_counts_in_its_digest() -> None:
    whole, _ = inspect(io.BytesIO(GOOD + b"\0" * 100), allowed=ALLOWED, what="model.tar.gz")
    assert whole == Digest.of(GOOD + b"\0" * 100)
