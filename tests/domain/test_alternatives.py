from dataclasses import replace

from domain.alternatives import alternatives
from domain.instances import Workload, choose
from tests.domain.test_instances import SMALL, book

JOB = Workload("Training", memory_gib=6, minutes_on_one_vcpu=100, deadline_minutes=600)
TINY = replace(SMALL, name="ml.m5.tiny", usd_per_hour=0.0575, vcpus=1, memory_gib=4.0)
DOUBLE = replace(SMALL, name="ml.m5.xlarge", usd_per_hour=0.23, vcpus=4, memory_gib=16.0)
GPU = replace(
    SMALL, name="ml.g4dn.xlarge", usd_per_hour=0.736, vcpus=4, memory_gib=16.0, gpus=1, local_nvme=True
)


def test_half_double_and_a_gpu_are_told_beside_the_choice() -> None:
    prices = book(TINY, SMALL, DOUBLE, GPU)
    assert alternatives(prices, choose(prices, JOB), JOB) == (
        "half of it, ml.m5.tiny, is refused: memory: 4 GiB is below 6 GiB",
        "twice of it, ml.m5.xlarge, costs +27% for -38% time",
        "a GPU (ml.g4dn.xlarge) would have to be 6.4 times faster to pay; its local disk takes no KMS volume key",
    )


def test_what_the_table_does_not_have_is_not_told() -> None:
    assert alternatives(book(SMALL), choose(book(SMALL), JOB), JOB) == ()


def test_an_endpoint_has_no_runtime_to_compare() -> None:
    endpoint = Workload("Hosting", memory_gib=4)
    prices = book(SMALL, DOUBLE)
    assert alternatives(prices, choose(prices, endpoint), endpoint) == ()
