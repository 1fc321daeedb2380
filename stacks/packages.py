"""The code of a function that brings packages of its own: the folders of all functions, and locked wheels beside them.

`make assets` lays the wheels, so that a synth needs no network. A rehearsal has its own packages.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from domain.names import WITHOUT_WHEELS
from stacks.functions import PACKAGED, ROOT, lambda_package
from stacks.pack_wheels import LAID_LOCK, WHEELS, add

LOCK = "lambdas/requirements.txt"
LAID = ROOT / "build" / "assets" / "lambda"
CODE = "code.zip"


class NotLaidError(Exception):
    """The wheels are not there, or are those of another lock."""


def package_with_wheels(root: Path = ROOT, laid: Path = LAID) -> lambda_.Code:
    """Raises NotLaidError if `make assets` has not been run since the lock changed."""
    if os.environ.get(WITHOUT_WHEELS):
        return lambda_package(root, more=(LOCK,))
    lock = (root / LOCK).read_bytes()
    if not (laid / LAID_LOCK).exists() or (laid / LAID_LOCK).read_bytes() != lock:
        raise NotLaidError(
            f"{laid} does not hold the wheels of {LOCK}; run `make assets`, which fetches them"
        )
    shutil.copy(laid / WHEELS, laid / CODE)
    with zipfile.ZipFile(laid / CODE, "a") as archive:
        for path in _sources(root):
            add(archive, path, path.relative_to(root).as_posix())
    return lambda_.Code.from_asset(str(laid / CODE))


def _sources(root: Path) -> Iterator[Path]:
    yield root / LOCK
    for folder in PACKAGED:
        yield from sorted(
            path
            for path in (root / folder).rglob("*")
            if path.is_file() and path.suffix != ".pyc" and path != root / LOCK
        )
