"""Imports point one way: decisions know nothing, shells know decisions, and nobody knows the rehearsal."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from config.schema import ROOT

ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "config": set(),
    "lambdas": {"domain"},
    "training": {"domain"},
    "stacks": {"config", "domain"},
    "rehearsal/engine": {"rehearsal.engine"},
    "rehearsal": {"config", "domain", "rehearsal"},
    "scripts": {"domain"},
}
"""What of ours each part may import, beside itself."""
OURS = {
    "domain",
    "config",
    "lambdas",
    "training",
    "stacks",
    "rehearsal",
    "cli",
    "tests",
    "benchmarks",
    "examples",
    "scripts",
}
LIBRARIES: dict[str, set[str]] = {"domain": {"numpy"}, "lambdas": {"boto3", "botocore"}}
"""Where only these may come from outside the standard library."""
COUNTING = "domain/drift"
"""Where numpy is, and nowhere else in `domain`."""
BRINGS_NUMPY = "check_drift.py"
"""The one function whose zip has numpy in it."""


def files(part: str) -> list[Path]:
    found = sorted((ROOT / part).rglob("*.py"))
    assert found, part
    return [path for path in found if "__pycache__" not in path.parts]


def imported(path: Path) -> set[str]:
    """The full names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute, so that a name reads the same everywhere"
            found.add(node.module or "")
    return found


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_what_lies_beneath_it(part: str) -> None:
    allowed = ALLOWED[part] | {part.replace("/", ".")}
    wrong = [
        (str(path.relative_to(ROOT)), module)
        for path in files(part)
        for module in sorted(imported(path))
        if within(module, OURS) and not within(module, allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("part", LIBRARIES)
def test_a_part_uses_only_the_libraries_that_it_is_given(part: str) -> None:
    """What runs in Lambda is the standard library and boto3, which Lambda brings; numpy only behind `domain.drift`."""
    allowed = LIBRARIES[part] | OURS | set(sys.stdlib_module_names)
    wrong = [
        (path.name, m) for path in files(part) for m in imported(path) if m.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_numpy_stays_where_counts_are() -> None:
    """The zip of all other functions holds no library: what imports one would not start in Lambda."""
    counting = {path for path in files("domain") if path.is_relative_to(ROOT / COUNTING)}
    elsewhere = [path for part in ("domain", "lambdas") for path in files(part) if path not in counting]
    assert counting
    importing = [
        path.name for path in elsewhere if any(within(m, {"numpy", "domain.drift"}) for m in imported(path))
    ]
    assert importing == [BRINGS_NUMPY]


def test_nobody_imports_the_rehearsal() -> None:
    product = ("domain", "config", "lambdas", "training", "stacks")
    paths = [*(path for part in product for path in files(part)), ROOT / "app.py"]
    assert [str(path) for path in paths if any(within(m, {"rehearsal"}) for m in imported(path))] == []


def test_moto_is_touched_in_its_seams_alone() -> None:
    parts = ("rehearsal", "cli", "scripts", "config", "domain", "lambdas", "training", "stacks")
    touching = {
        path.parent.relative_to(ROOT).as_posix()
        for part in parts
        for path in files(part)
        if any(within(module, {"moto"}) for module in imported(path))
    }
    assert touching == {"rehearsal/engine/moto_seams"}


def called_names(path: Path) -> set[str]:
    return {
        ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    }


IMPURE = {"open", "print", "input", "datetime.now", "datetime.utcnow", "date.today", "time.time", "os.getenv"}


def test_decisions_read_no_clock_no_file_and_no_environment() -> None:
    for path in files("domain"):
        assert not called_names(path) & IMPURE, path
        assert not imported(path) & {"os", "pathlib", "time", "subprocess", "socket", "urllib.request"}, path
