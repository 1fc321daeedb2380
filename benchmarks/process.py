"""How long a command and all its children take, and how much memory they hold together at the most."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECONDS = 1.0  # a look at a rehearsal's processes takes a core a tenth of a second


@dataclass(frozen=True)
class Usage:
    seconds: float
    peak_mb: float
    exit_code: int


def run(command: Sequence[str], env: dict[str, str] | None = None) -> Usage:
    """Run to the end. Memory is the proportional set size of the whole process tree, sampled once a second."""
    began, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        peak = max(peak, sum(_pss_mb(pid) for pid in tree(process.pid)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SAMPLE_SECONDS)
    return Usage(time.perf_counter() - began, peak, process.returncode)


def tree(root: int) -> list[int]:
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children[int(fields[1])].append(int(entry.parent.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _pss_mb(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
