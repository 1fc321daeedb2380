"""Packages in a function's zip: here they are this machine's own, for the zip's are built for the function's platform.

Which ones a zip brings stands in a `requirements.txt` beside the handler's module, every version pinned.
"""

from __future__ import annotations

import re
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from rehearsal.engine.account import Unsupported

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def provide(code: Path, handler: str) -> list[str]:
    """Link what the code's requirements name into it, instead of what the zip holds of it; returns name==version.

    Raises Unsupported if this machine has another version, or none.
    """
    module = PurePosixPath(handler.rpartition(".")[0].replace(".", "/"))
    requirements = code / module.parent / "requirements.txt"
    if not requirements.exists():
        return []
    found = PINNED.findall(requirements.read_text())
    for name, version in found:
        for package in _installed(name, version):
            _link(code / package.name, package)
    return [f"{name}=={version}" for name, version in found]


def _installed(name: str, version: str) -> list[Path]:
    """The top-level packages and modules of a distribution."""
    try:
        here = distribution(name)
    except PackageNotFoundError:
        raise Unsupported(_wrong(name, version, "nothing")) from None
    if here.version != version:
        raise Unsupported(_wrong(name, version, here.version))
    parts = {file.parts[0] for file in here.files or () if file.suffix == ".py"}
    return [Path(str(here.locate_file(part))) for part in sorted(parts)]


def _wrong(name: str, version: str, here: str) -> str:
    return (
        f"a function needs {name}=={version}; this machine, whose own packages the local account runs functions "
        f"with, has {here}. Install the locked packages: `make setup`"
    )


def _link(place: Path, package: Path) -> None:
    if place.is_symlink():
        return
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(package)
