"""The benchmark of the selection on a table that fits a screen: what it reads, charges and refuses."""

import math
from pathlib import Path

import pytest

from benchmarks.selecting.rules import RULES
from benchmarks.selecting.runs import grow, largest_tasks, percentile, score
from benchmarks.selecting.table import Table, TableError, read_table

HEADER = "workload,configuration,price,runtime,failed,size"
TYPES = {"ml.m5.large": (0.115, 2), "ml.m5.xlarge": (0.23, 4), "ml.m5.2xlarge": (0.46, 8)}


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Three workloads that scale alike, at two sizes; the smallest type is too small for the last one."""
    rows = [
        f"w{i},{name},{usd},{100 * (i + 1) * size / vcpus**0.5},{int(i == 2 and vcpus == 2)},{size}"
        for i in range(3)
        for name, (usd, vcpus) in TYPES.items()
        for size in (1, 2)
    ]
    return read_table(write(tmp_path / "runs.csv", *rows))


def test_each_workload_is_left_out_at_its_largest_size(table: Table) -> None:
    tasks = largest_tasks(table)
    assert [(task.workload, task.size) for task in tasks] == [("w0", 2.0), ("w1", 2.0), ("w2", 2.0)]
    assert tasks[0].usd["ml.m5.large"] == pytest.approx(0.115 * 200 / math.sqrt(2) / 3600)
    assert tasks[2].failed == {"ml.m5.large"}


def test_a_failed_run_is_charged_and_repeated_elsewhere(table: Table) -> None:
    (task,) = [one for one in largest_tasks(table) if one.workload == "w2"]
    plain = score(table, [task], "cheapest per hour")
    one_failure = task.usd["ml.m5.large"] / 24 / task.least_usd
    assert plain.overspend_mean == pytest.approx(one_failure)
    assert plain.failed_runs == pytest.approx(1 / 25)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_ends_with_a_configuration_that_works(table: Table, rule: str) -> None:
    for task in largest_tasks(table):
        choose, runs = RULES[rule](table, task, 0), list[str]()
        for _ in range(8):
            runs.append(choose(runs))
        assert runs[-1] in task.ended_well


def test_the_learner_never_sees_the_workload_that_is_left_out(table: Table) -> None:
    (task,) = [one for one in largest_tasks(table) if one.workload == "w0"]
    told = [job for job in table.jobs if job.workload != "w0"]
    without = Table(tuple(told), table.configurations)
    assert RULES["learned"](table, task, 0)([]) == RULES["learned"](without, task, 0)([])


def test_growth_is_judged_on_sizes_that_were_not_seen(table: Table) -> None:
    found = grow(table)
    assert found is not None
    assert found.contexts == 3
    assert found.misses == 0


def test_without_sizes_there_is_no_growth_to_judge(tmp_path: Path) -> None:
    rows = ["a,x,1,10,0,", "a,y,2,5,0,", "b,x,1,10,false,", "b,y,2,4,False,"]
    assert grow(read_table(write(tmp_path / "t.csv", *rows))) is None


@pytest.mark.parametrize("unknown", ["", "nan", "0"])
def test_a_failed_run_without_a_time_is_charged_as_the_longest_of_its_workload(
    tmp_path: Path, unknown: str
) -> None:
    table = read_table(write(tmp_path / "t.csv", f"a,x,1,{unknown},1,", f"a,y,2,50,0,{unknown}"))
    assert table.tasks()[0].seconds == {"x": 50.0, "y": 50.0}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,x,1,ten,0,", "row 2: runtime: got 'ten'; allowed: a number above zero"),
        ("a,x,-1,10,0,", "row 2: price: got '-1'"),
        ("a,x,1,10,maybe,", "row 2: failed: got 'maybe'; allowed: 1, 0, true"),
        ("a,x,1,10,0,-3", "row 2: size: got '-3'"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(TableError, match=says):
        read_table(write(tmp_path / "t.csv", row))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="the table lacks size"):
        read_table(
            write(tmp_path / "t.csv", "a,x,1,10,0", header="workload,configuration,price,runtime,failed")
        )


def test_percentiles_lie_between_values_and_infinity_is_said() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([0.0, 1.0], 0.9) == pytest.approx(0.9)
    assert percentile([0.0, math.inf], 0.9) == math.inf
