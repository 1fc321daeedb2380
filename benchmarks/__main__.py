"""`make bench NAME=rehearsal`: run one benchmark, write its result, render RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.results import HERE, render, write


def names() -> list[str]:
    """The benchmarks there are: every module with a `measure`."""
    helpers = {"__init__", "__main__", "cdk_findings", "results", "process"}
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem not in helpers)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("name", choices=names(), metavar=f"NAME ({', '.join(names())})")
    name = parser.parse_args().name
    claims = importlib.import_module(f"benchmarks.{name}").measure()
    write(name, claims)
    Path(HERE / "RESULTS.md").write_text(render())
    for claim in claims:
        print(
            f"{claim.claim}: {claim.ours:g} {claim.unit}; {claim.peer_name}: {claim.peer:g}; ratio {claim.ratio}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
