"""Check, train and evaluate on this machine what a run in the account would, by the image's own code.

python -m scripts.local_run OUT TABLE.csv.gz [TABLE.csv.gz ...]

The tables are as under history/. OUT gets model/, report/, checks/ and plan/, laid out as a run in the artefacts
bucket. It reads no configuration: the jobs' own defaults hold, and nothing is registered.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from domain.snapshot import Manifest, describe_part

HISTORY_TIME = "event_time"
ROOT = Path(__file__).resolve().parents[1]


def snapshot(tables: Sequence[Path], base: Path) -> Manifest:
    """Lay the tables out as the parts of a snapshot, and write its manifest."""
    described = [describe_part(table.read_bytes(), version_id="local", time=HISTORY_TIME) for table in tables]
    for table, (part, _) in zip(tables, described, strict=True):
        _put(base / "processing" / "parts" / Path(part.key).name, table.read_bytes())
    parts = tuple(part for part, _ in described)
    manifest = Manifest(described[0][1], parts, max(part.last_time for part in parts))
    _put(base / "processing" / "snapshot" / "manifest.json", manifest.to_json().encode())
    return manifest


def run(base: Path, command: str) -> None:
    """One command of the image, in this environment. Raises SystemExit with its code; it has told the reason."""
    environment = {**os.environ, "SM_BASE_DIR": str(base)}
    done = subprocess.run([sys.executable, "-m", "training", command], cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def archive(model: Path) -> bytes:
    """model.tar.gz as SageMaker packs it; the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(model.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return gzip.compress(packed.getvalue(), mtime=0)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def local_run(out: Path, tables: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        manifest = snapshot(tables, base)
        run(base, "prepare")
        _put(
            base / "input" / "data" / "train" / "train.csv.gz",
            (base / "processing/train/train.csv.gz").read_bytes(),
        )
        run(base, "train")
        _put(base / "processing" / "model" / "model.tar.gz", archive(base / "model"))
        plan = {
            "run_id": "local",
            "pipeline_name": "local",
            "snapshot_id": manifest.id,
            "snapshot_rows": manifest.rows,
        }
        _put(base / "processing" / "plan" / "plan.json", json.dumps(plan, indent=1).encode())
        run(base, "evaluate")
        for name in ("model", "report", "checks", "plan"):
            shutil.rmtree(out / name, ignore_errors=True)
            shutil.copytree(base / "processing" / name, out / name)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("out", type=Path)
    asked.add_argument("tables", type=Path, nargs="+")
    args = asked.parse_args()
    local_run(args.out, args.tables)


if __name__ == "__main__":
    main()
