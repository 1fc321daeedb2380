"""Installed wheels -> one zip with the same bytes each time: `python -m stacks.pack_wheels FOLDER LOCK TARGET`."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

WHEELS, LAID_LOCK = "packages.zip", "requirements.txt"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
LEFT_OUT = {"bin", "__pycache__", "tests"}
"""Scripts name this machine's interpreter; nobody runs a library's tests in a function."""
INSTALLERS = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}


def main(folder: Path, lock: Path, target: Path) -> None:
    """`target` gets packages.zip and, last, the lock that it was made from."""
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target / WHEELS, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder)
            if not LEFT_OUT & set(name.parts) and path.name not in INSTALLERS:
                add(archive, path, name.as_posix())
    shutil.copyfile(lock, target / LAID_LOCK)


def add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """The same file gives the same bytes, whenever it was written."""
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr = 0o755 << 16
    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
