"""Small enough to read: a function fits a screen, a file an idea, the product an afternoon."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.schema import ROOT

LINES_A_FUNCTION = 60
LINES_A_FILE = 300
LINES_PLANNED = 5000
"""What the plan allows the product and the engine each; said at every run, so that growth is seen."""
PRODUCT = ("app.py", "config", "domain", "lambdas", "training", "stacks", "cli")
ENGINE = ("rehearsal/engine",)
SOURCES = (*PRODUCT, "rehearsal", "examples", "benchmarks", "scripts")


def files(*parts: str) -> list[Path]:
    found = []
    for part in parts:
        path = ROOT / part
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []
    return [path for path in found if "__pycache__" not in path.parts]


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield (
                f"{path.relative_to(ROOT)}:{node.lineno} {node.name}",
                (node.end_lineno or 0) - node.lineno + 1,
            )


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        name: size for path in files(*SOURCES) for name, size in functions(path) if size > LINES_A_FUNCTION
    }
    assert long == {}


def test_no_file_holds_more_than_an_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines(path) for path in files(*SOURCES) if lines(path) > LINES_A_FILE
    }
    assert long == {}


@pytest.mark.parametrize(("half", "parts"), [("product", PRODUCT), ("engine", ENGINE)])
def test_it_is_said_how_large_each_half_is(
    half: str, parts: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = files(*parts)
    with capsys.disabled():
        print(
            f" {half}: {sum(map(lines, found))} lines in {len(found)} files, {LINES_PLANNED} planned ", end=""
        )
    assert found
