"""What this tree's templates let in or give up against another commit's: for whoever reviews a change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.delivery import git
from cli.source import CommandError
from cli.terminal import console
from config.schema import ROOT
from domain.changes import Changes, compare
from domain.names import WITHOUT_WHEELS


def against(revision: str, root: Path = ROOT) -> Changes:
    """Every stack of every environment, synthesised by each commit's own code and configuration.

    Raises CommandError where one cannot be synthesised.
    """
    with checked_out(revision, root) as scratch:
        before = _templates(scratch, revision)
    return compare(before, _templates(root, "this tree"))


@contextmanager
def checked_out(revision: str, root: Path) -> Iterator[Path]:
    """A commit's files in a directory of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=BytesIO(git(root, "archive", "--format=tar", revision))) as tree:
            tree.extractall(scratch, filter="data")
        yield Path(scratch)


def _templates(tree: Path, what: str) -> dict[str, Any]:
    context = json.loads((tree / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory() as outdir:
        variables = {
            **os.environ,
            "CDK_OUTDIR": outdir,
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_VALIDATION": "false",
            WITHOUT_WHEELS: "1",  # wheels hold no permission
        }
        done = subprocess.run(
            [sys.executable, "app.py"], cwd=tree, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise CommandError(f"{what} cannot be synthesised with the packages that are installed: {why[0]}")
        return {name: json.loads(path.read_text()) for name, path in _stacks(Path(outdir))}


def _stacks(assembly: Path) -> Iterator[tuple[str, Path]]:
    """The name and template of each stack, nested assemblies included."""
    for manifest in sorted(assembly.rglob("manifest.json")):
        for artifact in json.loads(manifest.read_text())["artifacts"].values():
            if artifact["type"] == "aws:cloudformation:stack":
                properties = artifact["properties"]
                name = properties.get("stackName") or Path(properties["templateFile"]).stem.split(".")[0]
                yield name, manifest.parent / properties["templateFile"]


def as_json(changes: Changes) -> str:
    return json.dumps(asdict(changes), indent=1)


def show(changes: Changes, revision: str) -> None:
    for title, grants in (("broader", changes.broader), ("narrower", changes.narrower)):
        if grants:
            table = Table(box=None, pad_edge=False, header_style="bold")
            table.add_column(f"{title} than {revision}", no_wrap=True)
            table.add_column("", overflow="fold")
            for grant in grants:
                table.add_row(Text(grant.holder), Text(str(grant)))
            console().print(table)
    for sentence in changes.lost:
        print(f"data: {sentence}")
    if not (changes.broader or changes.narrower or changes.lost):
        print(f"as {revision}: no permission differs, and nothing that keeps data would go")
