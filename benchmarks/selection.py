"""The choice of training instances on measured runs: make bench NAME=selection, or on any table:

    python -m benchmarks.selection --data FILE.csv

with the columns workload, configuration, price (dollars an hour), runtime (seconds), failed, size (empty if unknown).
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.results import Claim
from benchmarks.selecting.rules import RULES
from benchmarks.selecting.runs import Grown, Score, grow, largest_tasks, score
from benchmarks.selecting.table import COLUMNS, Table, TableError, read_table

DATA = "BENCH_DATA"
MULTI_CLOUD = "selection/multi_cloud_configuration.csv"
C3O = {
    "sort": (),
    "grep": ("p_occurrence",),
    "sgd": ("iterations",),
    "kmeans": ("k",),
    "pagerank": ("convergence_criterion",),
}
"""Each job of C3O, and the parameters beside the size that make it another workload."""
C3O_USD_PER_HOUR = {
    "c4.large": 0.1,
    "c4.xlarge": 0.199,
    "c4.2xlarge": 0.398,
    "m4.large": 0.1,
    "m4.xlarge": 0.2,
    "m4.2xlarge": 0.4,
    "r4.large": 0.133,
    "r4.xlarge": 0.266,
    "r4.2xlarge": 0.532,
}
Rows = list[dict[str, object]]


def multi_cloud(data: Path) -> Rows:
    """Thirty machine-learning workloads on the 24 configurations of provider A."""
    rows: Rows = []
    with (data / MULTI_CLOUD).open(newline="") as lines:
        for cells in csv.DictReader(lines):
            if cells["provider"] != "A" or not cells["target_runtime"]:
                continue
            seconds, usd = float(cells["target_runtime"]), float(cells["target_cost"])
            places = (cells["A_family"], cells["A_vcpu"], cells["nodes"])
            name = "-".join(str(int(float(place))) for place in places)
            values = (
                cells["workload"],
                name,
                usd / seconds * 3600,
                seconds,
                int(cells["status"] != "ok"),
                "",
            )
            rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def c3o(data: Path) -> Rows:
    """Five distributed jobs at growing sizes."""
    rows: Rows = []
    for job, parameters in C3O.items():
        with (data / f"selection/c3o_{job}.tsv").open(newline="") as lines:
            for cells in csv.DictReader(lines, delimiter="\t"):
                workload = "-".join([job, *(cells[name] for name in parameters)])
                nodes, machine = int(cells["instance_count"]), cells["machine_type"]
                price = nodes * C3O_USD_PER_HOUR[machine]
                name = f"{nodes} x {machine}"
                values = (workload, name, price, cells["gross_runtime"], 0, cells["data_size_MB"])
                rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _table(rows: Rows) -> Table:
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        file.flush()
        return read_table(Path(file.name))


def data_folder() -> Path:
    """Raises SystemExit where the measured tables are not at hand."""
    folder = Path(os.environ.get(DATA, ""))
    missing = [name for name in (MULTI_CLOUD, *(f"selection/c3o_{job}.tsv" for job in C3O))]
    missing = [name for name in missing if not os.environ.get(DATA) or not (folder / name).exists()]
    if missing:
        raise SystemExit(
            f"{DATA} must name a folder with {', '.join(missing)}: the multi-cloud-configuration-dataset of IBM and "
            "the c3o-experiments of dos-group; or give a table of your own: python -m benchmarks.selection --data "
            "FILE.csv"
        )
    return folder


def scores(table: Table) -> dict[str, Score]:
    tasks = largest_tasks(table)
    return {rule: score(table, tasks, rule) for rule in RULES}


def measure() -> list[Claim]:
    data = data_folder()
    found = scores(_table(multi_cloud(data)))
    ours, plain = found["learned"], found["plain rule"]
    print(text(found, None))
    grown = grow(_table(c3o(data)))
    assert grown is not None
    print(text({}, grown))
    runs = "multi-cloud, 28 workloads left out one by one, failures charged"
    return [
        Claim(
            f"median regret after 4 runs ({runs})",
            _percent(ours.regret_median),
            _percent(plain.regret_median),
            "plain rule",
            "%",
        ),
        Claim(f"90th percentile of regret after 4 runs ({runs})", _percent(ours.regret_p90), 6, "goal", "%"),
        Claim(f"overspend over 24 runs ({runs})", _percent(ours.overspend_mean), 10, "goal", "%"),
        Claim(
            f"overspend over 24 runs ({runs})",
            _percent(ours.overspend_mean),
            _percent(plain.overspend_mean),
            "plain rule",
            "%",
        ),
        Claim(
            f"overspend over 24 runs ({runs})",
            _percent(ours.overspend_mean),
            _percent(found["Bayesian optimisation"].overspend_mean),
            "Bayesian optimisation",
            "%",
        ),
        Claim(
            f"deadlines missed when data grow (C3O, {grown.contexts} contexts)",
            _percent(grown.misses),
            2,
            "goal",
            "%",
        ),
        Claim(
            f"mean regret when data grow (C3O, {grown.contexts} contexts)",
            _percent(grown.regret_mean),
            5,
            "goal",
            "%",
        ),
        Claim("a decision (99 of 100)", round(ours.decision_ms, 2), 10, "limit", "ms"),
    ]


def _percent(share: float) -> float:
    return round(100 * share, 1)


def text(found: dict[str, Score], grown: Grown | None) -> str:
    lines = []
    if found:
        lines.append(
            f"{'rule':24}{'regret after 4 runs':>28}{'none found':>12}{'overspend':>11}{'failed':>9}{'ms':>7}"
        )
    for rule, one in found.items():
        regret = f"median {one.regret_median:.1%}, p90 {one.regret_p90:.1%}"
        lines.append(
            f"{rule:24}{regret:>28}{one.none_found:>12}{one.overspend_mean:>11.1%}{one.failed_runs:>9.1%}"
            f"{one.decision_ms:>7.1f}"
        )
    if grown:
        lines.append(
            f"growth, {grown.contexts} contexts: regret mean {grown.regret_mean:.1%}, median {grown.regret_median:.1%}"
        )
        lines.append(
            f"  deadlines missed {grown.misses:.1%}, regret under deadlines median {grown.deadline_regret_median:.1%}"
        )
        lines.append(
            f"  plain rule: regret mean {grown.plain_regret_mean:.1%}, missed {grown.plain_misses:.1%}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.selection", description=__doc__)
    parser.add_argument("--data", type=Path, help="a table; without it the tables of " + DATA)
    path = parser.parse_args().data
    if path is None:
        for claim in measure():
            print(f"{claim.claim}: {claim.ours:g} {claim.unit}; {claim.peer_name}: {claim.peer:g}")
        return 0
    try:
        table = read_table(path)
    except (OSError, TableError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 2
    print(text(scores(table), grow(table)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
