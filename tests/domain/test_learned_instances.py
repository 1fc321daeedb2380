from dataclasses import replace

import pytest

from domain.instances import Choice, NothingFitsError, Workload, choose
from domain.job_record import JobRecord, of_component, outcome_of
from domain.learned_instances import History, choose_learned
from domain.prices import PriceBook
from tests.domain.test_instances import SMALL, book

MEDIUM = replace(SMALL, name="ml.m5.xlarge", usd_per_hour=0.23, vcpus=4, memory_gib=16.0)
LARGE = replace(SMALL, name="ml.m5.2xlarge", usd_per_hour=0.46, vcpus=8, memory_gib=32.0)
BOOK: PriceBook = book(SMALL, MEDIUM, LARGE)
JOB = Workload("Training", memory_gib=4, minutes_on_one_vcpu=10, deadline_minutes=60)


def ended(name: str, minutes: float, rows: int = 1000, outcome: str = "completed") -> JobRecord:
    return JobRecord("Training", name, 60 * minutes, outcome, rows)


def learned(*jobs: JobRecord, workload: Workload = JOB, rows: int = 1000, **history: object) -> Choice:
    return choose_learned(BOOK, workload, History(jobs, rows, **history))  # type: ignore[arg-type]


def test_on_the_first_day_the_plain_rule_stands() -> None:
    assert learned() == choose(BOOK, JOB)


def test_after_a_run_time_and_cost_are_the_ones_seen_with_a_range_around_them() -> None:
    choice = learned(ended("ml.m5.large", 30))
    winner = choice.winner
    assert (choice.rule, winner.instance_type) == ("cheapest-as-learned", "ml.m5.large")
    assert winner.expected_minutes == pytest.approx(30, rel=0.1)
    assert winner.expected_usd == pytest.approx(0.115 / 2, rel=0.1)
    assert winner.minutes_range is not None
    assert winner.minutes_range[0] < 30 < winner.minutes_range[1]
    assert "learned from 1 finished Training job:" in choice.reasons[1]


def test_more_like_runs_make_the_range_narrower() -> None:
    one = learned(ended("ml.m5.large", 30)).winner.minutes_range
    six = learned(*[ended("ml.m5.large", 30)] * 6).winner.minutes_range
    assert one is not None
    assert six is not None
    assert six[1] - six[0] < one[1] - one[0]


def test_runs_that_gain_nothing_from_more_vcpus_bring_back_the_smaller_type() -> None:
    jobs = [ended("ml.m5.large", 30), ended("ml.m5.2xlarge", 30), ended("ml.m5.xlarge", 30)]
    assert learned(*jobs).winner.instance_type == "ml.m5.large"


def test_runs_that_gain_more_than_they_cost_bring_the_larger_type() -> None:
    jobs = [ended("ml.m5.large", 30), ended("ml.m5.2xlarge", 3)]
    assert learned(*jobs).winner.instance_type == "ml.m5.2xlarge"


def test_a_deadline_is_kept_in_19_of_20_runs_and_who_may_miss_it_is_refused_with_the_chance() -> None:
    choice = learned(ended("ml.m5.large", 55), ended("ml.m5.xlarge", 33))
    assert choice.winner.instance_type == "ml.m5.xlarge"
    assert "chance of more than 60 minutes" in dict(choice.refused)["ml.m5.large"]


def test_growing_data_move_the_run_to_a_type_that_keeps_the_deadline() -> None:
    jobs = [ended("ml.m5.large", rows / 100, rows) for rows in (1000, 1500, 2000)]
    assert learned(*jobs, rows=2000).winner.instance_type == "ml.m5.large"
    moved = learned(*jobs, rows=5500)
    assert moved.winner.instance_type == "ml.m5.2xlarge"
    assert "this one is the surest" in moved.reasons[2]


def test_where_no_type_is_quick_enough_the_needed_deadline_is_named() -> None:
    with pytest.raises(
        NothingFitsError, match=r"the quickest, ml\.m5\.2xlarge, needs \d+: raise deadline_minutes"
    ):
        learned(ended("ml.m5.large", 900))


def test_running_out_of_memory_is_a_bound_that_grows_with_the_rows() -> None:
    failed = ended("ml.m5.large", 5, outcome="out-of-memory")
    choice = learned(failed)
    assert choice.winner.instance_type == "ml.m5.xlarge"
    assert "memory: 8 GiB is below 8 GiB" in dict(choice.refused)["ml.m5.large"]
    assert "more than 8.0 GiB are needed" in choice.reasons[-1]
    assert learned(failed, rows=2500).winner.instance_type == "ml.m5.2xlarge"
    assert learned(failed, ended("ml.m5.xlarge", 20)).winner.instance_type == "ml.m5.xlarge"


def test_a_bug_or_a_lack_of_capacity_says_nothing_of_a_type() -> None:
    assert learned(ended("ml.m5.large", 1, outcome="failed")) == choose(BOOK, JOB)
    assert learned(ended("ml.m5.large", 1, outcome="capacity")) == choose(BOOK, JOB)


def test_a_type_is_not_changed_for_a_small_saving() -> None:
    jobs = [*[ended("ml.m5.large", 30)] * 4, *[ended("ml.m5.xlarge", 15.5)] * 4]
    choice = learned(*jobs)
    assert choice.winner.instance_type == "ml.m5.xlarge"
    assert "is kept" in choice.reasons[0]
    assert learned(*jobs[4:], *jobs[:4]).winner.instance_type == "ml.m5.large"


def test_with_prices_that_are_too_old_the_last_type_stays_while_it_fits() -> None:
    jobs = [ended("ml.m5.large", 30), ended("ml.m5.2xlarge", 30)]
    kept = learned(*jobs, keep="ml.m5.2xlarge")
    assert (kept.winner.instance_type, kept.rule) == ("ml.m5.2xlarge", "prices-too-old")
    assert learned(*jobs, keep="ml.gone").winner.instance_type == "ml.m5.large"


def test_a_type_is_tried_only_where_that_is_allowed() -> None:
    seen = ended("ml.m5.large", 30)
    assert learned(seen).winner.instance_type == "ml.m5.large"
    tried = learned(seen, explore=True)
    assert tried.winner.instance_type != "ml.m5.large"
    assert "is tried" in tried.reasons[0]


def test_the_same_history_gives_the_same_choice_whatever_the_order_of_the_table() -> None:
    jobs = (ended("ml.m5.large", 30), ended("ml.m5.xlarge", 20))
    turned = replace(BOOK, types=tuple(reversed(BOOK.types)))
    assert choose_learned(turned, JOB, History(jobs, 1000)) == learned(*jobs)


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("Completed", "", "completed"),
        ("Failed", "AlgorithmError: MemoryError, exit code: 1", "out-of-memory"),
        ("Failed", "AlgorithmError: , exit code: 137", "out-of-memory"),
        (
            "Failed",
            "ClientError: Please use an instance type with more memory: Out Of Memory",
            "out-of-memory",
        ),
        ("Failed", "CapacityError: Unable to provision requested ML compute capacity", "capacity"),
        ("Failed", "AlgorithmError: KeyError: 'late', exit code: 1", "failed"),
        ("Stopped", "", "failed"),
    ],
)
def test_what_sagemaker_says_of_a_failure_is_one_word(status: str, reason: str, outcome: str) -> None:
    assert outcome_of(status, reason) == outcome


def test_of_a_run_the_longest_job_of_a_component_counts_and_the_latest_run_comes_last() -> None:
    late = {"settled_at": "2013-05-01", "jobs": [ended("ml.m5.large", 9).to_json()]}
    early = {
        "settled_at": "2013-04-01",
        "jobs": [ended("ml.m5.large", 5).to_json(), ended("ml.m5.large", 7).to_json()],
    }
    going = {"plan": {}}
    assert [job.billed_seconds for job in of_component([late, going, early], "Training")] == [420.0, 540.0]
    assert of_component([late], "Processing") == []
