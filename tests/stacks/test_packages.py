"""The zip of the function that brings packages: sources and locked wheels in one, the same bytes each time."""

from __future__ import annotations

import re
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from config.schema import ROOT
from domain.names import WITHOUT_WHEELS
from stacks import pack_wheels, packages
from stacks.packages import LOCK, NotLaidError, package_with_wheels


@pytest.fixture
def laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `make assets` lays, of a package of one file."""
    monkeypatch.delenv(WITHOUT_WHEELS)
    installed = tmp_path / "installed"
    for name in (
        "counting/__init__.py",
        "counting/tests/test_it.py",
        "bin/count",
        "counting.dist-info/RECORD",
    ):
        path = installed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    pack_wheels.main(installed, ROOT / LOCK, tmp_path / "laid")
    return tmp_path / "laid"


def code(laid: Path) -> bytes:
    package_with_wheels(ROOT, laid)
    return (laid / packages.CODE).read_bytes()


def test_the_zip_holds_what_a_function_imports_and_no_script_and_no_test_of_a_library(laid: Path) -> None:
    code(laid)
    names = zipfile.ZipFile(laid / packages.CODE).namelist()
    assert {"counting/__init__.py", "lambdas/check_drift.py", "domain/drift/detector.py", LOCK} <= set(names)
    assert [name for name in names if "test" in name or name.startswith("bin/") or "RECORD" in name] == []
    assert len(names) == len(set(names))


def test_the_same_sources_and_wheels_give_the_same_bytes(laid: Path) -> None:
    assert code(laid) == code(laid)


def test_wheels_of_an_older_lock_stop_the_synth_with_what_to_do(laid: Path) -> None:
    (laid / pack_wheels.LAID_LOCK).write_text("numpy==1.0")
    with pytest.raises(NotLaidError, match="make assets"):
        code(laid)
    shutil.rmtree(laid)
    with pytest.raises(NotLaidError, match="make assets"):
        code(laid)


def test_the_locked_version_is_the_one_that_the_tests_and_the_image_run_with() -> None:
    (locked,) = re.findall(r"^numpy==(\S+)", (ROOT / LOCK).read_text(), re.MULTILINE)
    (image,) = re.findall(r"^numpy==(\S+)", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE)
    assert locked == image == version("numpy")
